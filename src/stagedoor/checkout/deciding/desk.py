"""The working copy a batch is decided on: what one decision changes, the next one sees."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

from stagedoor.checkout.commands import KeyedCommand
from stagedoor.checkout.keys import call_of, scope_of
from stagedoor.checkout.outcomes import Outcome, Receipt, Settled
from stagedoor.checkout.rows import Claim, KeyToStore, SaleRows, SaleWrites, StoredKey
from stagedoor.holds.model import Hold, HoldPolicy, HoldState
from stagedoor.kernel.clock import FOREVER, Instant
from stagedoor.kernel.idempotency import KEYS_PER_BUYER_MAX, KeyReused, TooManyKeys
from stagedoor.kernel.ids import BuyerId, EventId, HoldId, PerformanceId, PlaceRef, SeatId
from stagedoor.kernel.money import Won
from stagedoor.seating.model import ClaimState
from stagedoor.seating.switch import ALL_OPEN, SaleSwitches

NewEventId = Callable[[Instant], EventId]


class Desk:
    """
    The rows as they are after the commands decided so far, and the writes that got them there.

    Everything is read through it and changed through it, so that two commands
    of one batch come out as if one had followed the other.
    """

    def __init__(
        self, rows: SaleRows, policy: HoldPolicy, new_event_id: NewEventId, switches: SaleSwitches = ALL_OPEN
    ) -> None:
        """Begin with *rows* as they were loaded."""
        self.now: Instant = rows.now
        self.rows = rows
        self.policy = policy
        self.new_event_id = new_event_id
        self.switches = switches
        self.writes = SaleWrites(now=rows.now)
        self.closed_places: set[PlaceRef] = set(rows.closed_places)
        self._balances = dict(rows.balances)
        self._claims: dict[SeatId, Claim | None] = dict(rows.claims)
        self._holds = dict(rows.holds)
        self._hold_ids_of: dict[BuyerId, list[HoldId]] = defaultdict(list)
        for hold in rows.holds.values():
            self._hold_ids_of[hold.buyer_id].append(hold.id)
        self._keys = dict(rows.keys)
        self._key_counts = dict(rows.key_counts)
        self._unsold = dict(rows.unsold)

    def is_member(self, buyer_id: BuyerId) -> bool:
        """Whether anybody has that id."""
        return buyer_id in self._balances

    def balance(self, buyer_id: BuyerId) -> Won:
        """Return the member's balance."""
        return self._balances[buyer_id]

    def hold(self, hold_id: HoldId, buyer_id: BuyerId) -> Hold | None:
        """Return the hold if it is the buyer's."""
        hold = self._holds.get(hold_id)
        return hold if hold is not None and hold.buyer_id == buyer_id else None

    def holds_of(self, buyer_id: BuyerId) -> Iterable[Hold]:
        """Return the buyer's holds that were loaded or opened."""
        return [self._holds[hold_id] for hold_id in self._hold_ids_of[buyer_id]]

    def is_claimed(self, seat_id: SeatId) -> bool:
        """Whether the seat is held, sold or blocked at this instant."""
        claim = self._claims.get(seat_id)
        return claim is not None and claim.held_until > self.now

    def is_sold_out(self, performance_id: PerformanceId) -> bool:
        """Whether no seat of the performance is free, nor held so that it could come back."""
        return self._unsold[performance_id] <= 0

    def known_answer(self, command: KeyedCommand) -> Outcome | None:
        """Return what the command's key was answered before, or why it cannot be taken; None for a new or no key."""
        scope = scope_of(command)
        if scope is None or command.key is None:
            return None
        stored = self._keys.get(scope)
        if stored is None:
            return TooManyKeys() if self._key_counts.get(command.buyer_id, 0) >= KEYS_PER_BUYER_MAX else None
        if stored.fingerprint != command.key.fingerprint:
            return KeyReused()
        return Settled(receipt=stored.receipt, replayed=True)

    def settle(self, command: KeyedCommand, receipt: Receipt) -> Settled:
        """Answer with *receipt*, and store it under the command's key."""
        scope = scope_of(command)
        if scope is not None and command.key is not None:
            buyer_id = command.buyer_id
            self._keys[scope] = StoredKey(fingerprint=command.key.fingerprint, receipt=receipt)
            self._key_counts[buyer_id] = self._key_counts.get(buyer_id, 0) + 1
            self.writes.keys.append(
                KeyToStore(buyer_id=buyer_id, call=call_of(command), key=command.key, receipt=receipt)
            )
        return Settled(receipt=receipt)

    def open_hold(self, hold: Hold) -> None:
        """Take the hold's seats off sale."""
        # Of two alike that were drawn for one batch the second would take the place of the first: each is then
        # written alone, and the table refuses the second.
        assert hold.id not in self.writes.holds_opened, "two holds of one batch have one id"
        self._holds[hold.id] = hold
        self._hold_ids_of[hold.buyer_id].append(hold.id)
        self.writes.holds_opened[hold.id] = hold
        self._claim_seats_of(hold, ClaimState.HELD, hold.expires_at)

    def pay_hold(self, hold: Hold) -> None:
        """Sell the hold's seats."""
        self._end(hold, HoldState.PAID, self.now)
        self._claim_seats_of(hold, ClaimState.SOLD, FOREVER)
        if hold.performance_id in self._unsold:
            self._unsold[hold.performance_id] -= len(hold.seats)

    def free_hold(self, hold: Hold, state: HoldState, ended_at: Instant) -> None:
        """Let go of those of the hold's seats that are (still) claimed by it."""
        self._end(hold, state, ended_at)
        for seat in hold.seats:
            claim = self._claims.get(seat.seat_id)
            if claim is not None and claim.hold_id == hold.id:
                self._set_claim(seat.seat_id, None)

    def set_balance(self, buyer_id: BuyerId, balance_won: Won) -> None:
        """Change the buyer's balance; the transfer behind it is the caller's to write."""
        self._balances[buyer_id] = balance_won
        self.writes.balances[buyer_id] = balance_won
        self.writes.balances_before[buyer_id] = self.rows.balances[buyer_id]

    def close_place(self, place: PlaceRef) -> None:
        """Take no more holds under *place*."""
        self.closed_places.add(place)
        self.writes.closed_places.add(place)

    def _end(self, hold: Hold, state: HoldState, ended_at: Instant) -> None:
        ended = replace(hold, state=state, ended_at=ended_at)
        self._holds[hold.id] = ended
        self.writes.holds_ended[hold.id] = ended

    def _claim_seats_of(self, hold: Hold, state: ClaimState, held_until: Instant) -> None:
        for seat in hold.seats:
            claim = Claim(
                seat_id=seat.seat_id,
                performance_id=hold.performance_id,
                hold_id=hold.id,
                state=state,
                held_until=held_until,
            )
            self._set_claim(seat.seat_id, claim)

    def _set_claim(self, seat_id: SeatId, claim: Claim | None) -> None:
        self._claims[seat_id] = claim
        self.writes.claims[seat_id] = claim
        if (before := self.rows.claims.get(seat_id)) is not None:
            self.writes.claims_before[seat_id] = before
