"""
Remembers what was answered, and holds it against what is stored.

Only what a buyer was told counts here; of an answer that did not come nobody
knows whether there was an effect.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, text

from stagedoor.adapters.sql.invariants import check_all
from stagedoor.checkout.outcomes import HoldReceipt, OrderReceipt, ReleaseReceipt, WalletReceipt
from stagedoor.holds.model import HoldState
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId, HoldId, OrderId, PlaceRef, SeatId, TransferId
from stagedoor.seating.model import ClaimState
from stagedoor.waiting_room.model import EndCause, PlaceState, PlaceView
from stagedoor.wallet.model import TransferKind
from tests.builders.store import MEMBERS

Claimed = tuple[HoldId | None, ClaimState]

NEVER = Instant(0)


@dataclass(slots=True, kw_only=True)
class ToldPlace:
    """What a buyer was told of her place. *heard_at* is when she last got an answer about it."""

    buyer_id: BuyerId
    heard_at: Instant
    told_ms: int
    state: PlaceState
    position: int
    inside_until: Instant = NEVER
    left: bool = False


@dataclass(slots=True, kw_only=True)
class ToldHold:
    """What a buyer was told of her hold. *let_go*: she has asked for its end, answered or not."""

    buyer_id: BuyerId
    seat_ids: tuple[SeatId, ...]
    until: Instant
    stored_until: Instant = NEVER
    place: PlaceRef
    let_go: bool = False
    pay_asked: bool = False
    released: bool = False


class RefusedPlace(NamedTuple):
    """She was told at *at* that her place is over, and before that she would be inside until *inside_until*."""

    ref: PlaceRef
    at: Instant
    inside_until: Instant


@dataclass(slots=True)
class Witness:
    """All that was answered, and every contradiction found."""

    away_after_ms: int
    places: dict[PlaceRef, ToldPlace] = field(default_factory=dict)
    holds: dict[HoldId, ToldHold] = field(default_factory=dict)
    orders: dict[OrderId, HoldId] = field(default_factory=dict)
    leave_asked: set[PlaceRef] = field(default_factory=set)
    refused_early: list[RefusedPlace] = field(default_factory=list)
    charges: dict[TransferId, BuyerId] = field(default_factory=dict)
    charges_asked: dict[BuyerId, set[object]] = field(default_factory=dict)
    answers: dict[tuple[BuyerId, str, str], object] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)

    def contradict(self, sentence: str) -> None:
        """Note that something was false."""
        self.contradictions.append(sentence)

    def told_joined(self, place: PlaceView, now: Instant, *, replayed: bool) -> None:
        """She has a place. What else a *replayed* answer says is of then, and no sign of hers was noted."""
        if place.ref not in self.places:
            self.places[place.ref] = ToldPlace(
                buyer_id=place.buyer_id,
                heard_at=NEVER if replayed else now,
                told_ms=place.poll_after_ms,
                state=place.state,
                position=place.position,
            )

    def told_place(self, place: PlaceView, now: Instant, *, machine_now: Instant) -> None:
        """She was told how her place stands."""
        told = self.places[place.ref]
        if told.left and place.state.is_live:
            self.contradict(f"{place.ref} lives after it was left")
        if now < told.inside_until and place.state in {PlaceState.WAITING, PlaceState.PASSED_OVER}:
            self.contradict(f"{place.ref} waits at {now}, and was inside until {told.inside_until}")
        if 0 < told.position < place.position:
            self.contradict(f"{place.ref} was told {told.position}, then {place.position}")
        if (told.state, place.state) == (PlaceState.WAITING, PlaceState.PASSED_OVER):
            self._passed_over(place.ref, machine_now)
        told.heard_at, told.told_ms = machine_now, place.poll_after_ms
        told.position, told.state = place.position, place.state
        if place.state is PlaceState.ADMITTED:
            ends = [end for end in (place.session_ends_at, place.idle_ends_at) if end is not None]
            told.inside_until = min(ends, default=now)

    def _passed_over(self, ref: PlaceRef, machine_now: Instant) -> None:
        silent_ms = machine_now - self.places[ref].heard_at
        if silent_ms < self.away_after_ms:
            self.contradict(f"{ref} was passed over after {silent_ms} ms of silence")

    def ask_to_leave(self, ref: PlaceRef) -> None:
        """She asks to leave: from now on nothing is promised of this place."""
        self.places[ref].inside_until = NEVER
        self.leave_asked.add(ref)

    def told_left(self, ref: PlaceRef) -> None:
        """She has left."""
        self.places[ref].left = True

    def told_held(self, receipt: HoldReceipt, place: PlaceRef) -> None:
        """Seats are kept for her."""
        told = self.holds.setdefault(
            receipt.hold_id,
            ToldHold(buyer_id=receipt.buyer_id, seat_ids=receipt.seat_ids, until=receipt.expires_at, place=place),
        )
        told.until = max(told.until, receipt.expires_at)

    def told_released(self, receipt: ReleaseReceipt) -> None:
        """Her seats are free again."""
        self.holds[receipt.hold_id].released = True

    def told_paid(self, receipt: OrderReceipt) -> None:
        """The seats are hers."""
        self.orders[receipt.order_id] = receipt.hold_id

    def told_charged(self, receipt: WalletReceipt, buyer_id: BuyerId) -> None:
        """Her wallet has more in it."""
        self.charges[receipt.transfer_id] = buyer_id

    def told_again(self, scope: tuple[BuyerId, str, str], effect: object) -> None:
        """A request with a key was answered: always with the same effect."""
        first = self.answers.setdefault(scope, effect)
        if first != effect:
            self.contradict(f"the key {scope} had the effect {first}, then {effect}")

    def refused_as_over(self, hold_id: HoldId, now: Instant) -> None:
        """She was told that her hold is over."""
        told = self.holds[hold_id]
        if (
            now < told.until
            and not told.let_go
            and not any(ref.room_id == told.place.room_id for ref in self.leave_asked)
        ):
            self.contradict(f"hold {hold_id} was over at {now}, and promised until {told.until}")

    def refused_place(self, ref: PlaceRef, now: Instant) -> None:
        """She was told that her place is over. If that is too early, the journal has to know why."""
        inside_until = self.places[ref].inside_until
        if now < inside_until:
            self.refused_early.append(RefusedPlace(ref, now, inside_until))

    def look_at(self, connection: Connection, now: Instant) -> None:
        """Hold everything against the database as it is at *now*."""
        for found in check_all(connection, now=now, seats_per_buyer=4):
            if not found.holds:
                self.contradict(f"{found.name}: {found.violations}")
        self.contradictions.extend(self._refused_falsely(connection))
        self.contradictions.extend(self._lost_places(connection))
        self.contradictions.extend(self._lost_holds(connection, now))
        self.contradictions.extend(self._lost_money(connection))

    def _lost_places(self, connection: Connection) -> Iterator[str]:
        stored = {
            (row.room_id, row.number): row
            for row in connection.execute(text("SELECT room_id, number, buyer_id, state FROM place"))
        }
        query = text("SELECT room_id, number, ended_at, end_cause FROM admission_pass ORDER BY sequence")
        last_pass = {(row.room_id, row.number): row for row in connection.execute(query)}
        for ref, told in self.places.items():
            row = stored.get((ref.room_id, ref.number))
            if row is None or row.buyer_id != told.buyer_id:
                yield f"{ref} of {told.buyer_id} is lost"
                continue
            if told.left and PlaceState(row.state).is_live:
                yield f"{ref} was left and lives"
            end = last_pass.get((ref.room_id, ref.number))
            if end is None or end.ended_at is None or self._is_her_doing(ref, end.end_cause):
                continue
            if end.ended_at < told.inside_until:
                yield f"{ref} ended at {end.ended_at} ({end.end_cause}), and was promised until {told.inside_until}"

    def _refused_falsely(self, connection: Connection) -> Iterator[str]:
        # What she had asked for ends her place when it is done, and not when it is asked for: as long as it waits its
        # turn a poll is rightly told that she is inside. So asking alone excuses nothing; how the place ended does.
        query = text("SELECT room_id, number, end_cause FROM place WHERE ended_at IS NOT NULL")
        ended = {(row.room_id, row.number): row.end_cause for row in connection.execute(query)}
        # The payment that uses a place up closes it to the sale at once, and the line hears of it later.
        query = text("SELECT room_id, place_number FROM closed_place")
        used_up = {(row.room_id, row.place_number): EndCause.PAID for row in connection.execute(query)}
        for ref, at, inside_until in self.refused_early:
            causes = [stored.get((ref.room_id, ref.number)) for stored in (ended, used_up)]
            if not any(self._is_her_doing(ref, cause) for cause in causes):
                yield f"{ref} was over at {at}, and promised until {inside_until}"
        self.refused_early.clear()

    def _is_her_doing(self, ref: PlaceRef, cause: int | None) -> bool:
        """Say whether a place that ended because of *cause* ended by what its buyer had asked for."""
        match cause:
            case EndCause.LEFT:
                return ref in self.leave_asked
            case EndCause.PAID:
                return any(hold.place == ref and hold.pay_asked for hold in self.holds.values())
            case _:
                return False

    def _lost_holds(self, connection: Connection, now: Instant) -> Iterator[str]:
        stored = {
            row.id: row
            for row in connection.execute(text("SELECT id, state, expires_at, room_id, place_number FROM hold"))
        }
        claims = {
            row.seat_id: (row.hold_id, ClaimState(row.state))
            for row in connection.execute(text("SELECT seat_id, hold_id, state FROM seat_claim"))
        }
        left = {(ref.room_id, ref.number) for ref, told in self.places.items() if told.left}
        for kept in stored.values():
            if kept.state == HoldState.OPEN and now < kept.expires_at and (kept.room_id, kept.place_number) in left:
                yield f"hold {kept.id} keeps its seats, and its place was left"
        paid = set(self.orders.values())
        for hold_id, told in self.holds.items():
            row = stored.get(hold_id)
            if row is None:
                yield f"hold {hold_id} is lost"
                continue
            if row.expires_at < told.stored_until:
                yield f"hold {hold_id} ends earlier than it did"
            told.stored_until = row.expires_at
            told.let_go = told.let_go or PlaceRef(room_id=row.room_id, number=row.place_number) in self.leave_asked
            yield from self._broken_hold(hold_id, HoldState(row.state), claims, now, paid=hold_id in paid)

    def _broken_hold(
        self, hold_id: HoldId, state: HoldState, claims: Mapping[int, Claimed], now: Instant, *, paid: bool
    ) -> Iterator[str]:
        told = self.holds[hold_id]
        if paid and state is not HoldState.PAID:
            yield f"hold {hold_id} was paid and is {state.name}"
        if told.released and state is not HoldState.RELEASED:
            yield f"hold {hold_id} was released and is {state.name}"
        if now < told.until and not told.let_go and state not in {HoldState.OPEN, HoldState.PAID}:
            yield f"hold {hold_id} is {state.name} at {now}, and was promised until {told.until}"
        if state is HoldState.PAID or (state is HoldState.OPEN and now < told.until):
            wanted = ClaimState.SOLD if state is HoldState.PAID else ClaimState.HELD
            lost = [seat_id for seat_id in told.seat_ids if claims.get(seat_id) != (hold_id, wanted)]
            if lost:
                yield f"hold {hold_id} is {state.name} without its seats {lost}"

    def _lost_money(self, connection: Connection) -> Iterator[str]:
        purchases = {tuple(row) for row in connection.execute(text("SELECT id, hold_id FROM purchase"))}
        yield from (f"order {order} is lost" for order in self.orders.items() if order not in purchases)
        made: dict[TransferId, BuyerId] = {
            row.id: row.buyer_id
            for row in connection.execute(
                text("SELECT id, buyer_id FROM transfer WHERE kind = :charge AND id > :first"),
                {"charge": TransferKind.CHARGE.value, "first": MEMBERS},
            )
        }
        yield from (f"charge {charge} is lost" for charge in self.charges.items() if charge not in made.items())
        counts: dict[BuyerId, int] = {}
        for buyer_id in made.values():
            counts[buyer_id] = counts.get(buyer_id, 0) + 1
        for buyer_id, count in counts.items():
            asked = len(self.charges_asked.get(buyer_id, ()))
            if count > asked:
                yield f"{buyer_id} was charged {count} times and asked for {asked}"
