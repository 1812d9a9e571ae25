"""What a buyer asks for, with the use cases behind the calls, and what she makes of the answers."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, TypeVar

from stagedoor.checkout.outcomes import HoldReceipt, OrderReceipt, ReleaseReceipt, Settled, WalletReceipt
from stagedoor.checkout.rejections import AlreadyPaid
from stagedoor.holds.rejections import HoldIsOver, UnknownHold
from stagedoor.http.under_way import Work
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId, HoldId, PlaceRef, RoomId
from stagedoor.kernel.money import Won
from stagedoor.waiting_room.model import PlaceState
from stagedoor.waiting_room.ports import Joined, PlaceEnded
from stagedoor.waiting_room.rejections import PlaceIsOver, UnknownPlace
from tests.builders.sale import GALA, PLAY, SEATS, VIP_ROOM
from tests.simulation.process import Server
from tests.simulation.witness import Witness

T = TypeVar("T")

SEATS_WANTED = 6
"""Of so many seats all take theirs, so that they meet."""


@dataclass(slots=True, kw_only=True)
class Fan:
    """One buyer: her places, her holds, the requests she may send again; *present* while she polls."""

    buyer_id: BuyerId
    places: dict[RoomId, PlaceRef] = field(default_factory=dict)
    holds: list[HoldId] = field(default_factory=list)
    keyed: list[tuple[str, IdempotencyKey, Any]] = field(default_factory=list)
    present: bool = True


class Asking:
    """Asks a server for this and that; *happened* counts what came of it."""

    def __init__(self, server: Server, random: Random, witness: Witness, happened: Counter[str]) -> None:
        """Ask *server*, and tell *witness* of the answers."""
        self._server = server
        self._services = server.services
        self._random = random
        self._witness = witness
        self._happened = happened

    async def something(self, fan: Fan) -> None:
        """Ask for something that makes sense to her, or send an old request again."""
        if fan.keyed and self._random.random() < 0.15:
            call, its_key, arguments = self._random.choice(fan.keyed)
            self._happened["sent again"] += 1
            await getattr(self, call)(fan, its_key, *arguments)
            return
        wishes = {"join": 4, "look": 4, "reserve": 8, "pay": 6, "release": 2, "leave": 1, "charge": 1}
        wish = self._random.choices(list(wishes), list(wishes.values()))[0] if fan.places else "join"
        key = self._new_key() if self._random.random() < 0.4 else None
        arguments = self._arguments_of(wish, fan)
        if arguments is None:
            return
        if key is not None and wish != "look":
            fan.keyed.append((wish, key, arguments))
        await getattr(self, wish)(fan, key, *arguments)

    def _arguments_of(self, wish: str, fan: Fan) -> tuple[Any, ...] | None:
        """Make up what she asks for, None if it makes no sense now."""
        places = [*fan.places.values()]
        match wish:
            case "join":
                return (self._random.choice([MAIN_ROOM, MAIN_ROOM, VIP_ROOM]),)
            case "charge":
                return ()
            case "look" | "leave" if places:
                return (self._random.choice(places),)
            case "reserve" if places:
                inside = [ref for ref in places if self._witness.places[ref].state is PlaceState.ADMITTED]
                ref = self._random.choice(inside or places)
                seats = SEATS[PLAY if ref.room_id == MAIN_ROOM else GALA][:SEATS_WANTED]
                return (ref, tuple(self._random.sample(seats, self._random.choice([1, 1, 2, 3]))))
            case "pay" | "release" if fan.holds:
                return (self._random.choice(fan.holds[-3:]),)
            case _:
                return None

    def _new_key(self) -> IdempotencyKey:
        return IdempotencyKey(value=f"{self._random.getrandbits(64):x}", fingerprint="a body")

    async def join(self, fan: Fan, key: IdempotencyKey | None, room_id: RoomId) -> None:
        """Take a place."""
        joined = await self._ask(
            fan,
            "join",
            partial(self._services.issue_token.issue, buyer_id=fan.buyer_id, room_id=room_id, key=key),
            key,
        )
        if isinstance(joined, Joined):
            self._again(fan, "join", key, joined.place.ref)
            self._witness.told_joined(joined.place, self._server.clock.now(), replayed=joined.replayed)
            known = fan.places.get(room_id)
            if known is None or known.number < joined.place.ref.number:
                fan.places[room_id] = joined.place.ref

    async def look(self, fan: Fan, _key: None, ref: PlaceRef) -> None:
        """Look how her place stands."""
        await self.check(fan, ref)

    async def check(self, fan: Fan, ref: PlaceRef) -> None:
        """Ask how the place stands."""
        try:
            await self._services.check_place.settled(ref)
            status = self._services.check_place.check(ref)
        except Fault:
            return
        except UnknownPlace:
            self._witness.contradict(f"{ref} is not known")
            return
        if not self._server.loop.is_dead:
            self._witness.told_place(status.place, self._now, machine_now=self._server.clock.now())

    async def reserve(self, fan: Fan, key: IdempotencyKey | None, ref: PlaceRef, seat_ids: tuple[Any, ...]) -> None:
        """Take seats."""
        performance_id = PLAY if ref.room_id == MAIN_ROOM else GALA
        work = partial(
            self._services.reserve_seats.reserve,
            ref=ref,
            buyer_id=fan.buyer_id,
            performance_id=performance_id,
            seat_ids=seat_ids,
            key=key,
        )
        outcome = await self._ask(fan, "reserve", work, key)
        match outcome:
            case Settled(receipt=HoldReceipt() as receipt):
                self._again(fan, "reserve", key, receipt.hold_id)
                self._witness.told_held(receipt, ref)
                fan.holds.append(receipt.hold_id)
            case PlaceIsOver():
                self._witness.refused_place(ref, self._now)

    async def pay(self, fan: Fan, key: IdempotencyKey | None, hold_id: HoldId) -> None:
        """Pay for a hold."""
        told = self._witness.holds[hold_id]
        asked_before, told.pay_asked = told.pay_asked, True
        outcome = await self._ask(
            fan, "pay", partial(self._services.pay.pay, hold_id=hold_id, buyer_id=fan.buyer_id, key=key), key
        )
        match outcome:
            case Settled(receipt=OrderReceipt() as receipt):
                self._again(fan, "pay", key, receipt.order_id)
                self._witness.told_paid(receipt)
            case HoldIsOver():
                self._witness.refused_as_over(hold_id, self._now)
            case UnknownHold():
                self._witness.contradict(f"hold {hold_id} is not known")
            case AlreadyPaid() if not asked_before:
                self._witness.contradict(f"hold {hold_id} is paid, and nobody paid")

    async def release(self, fan: Fan, key: IdempotencyKey | None, hold_id: HoldId) -> None:
        """Let a hold go."""
        self._witness.holds[hold_id].let_go = True
        work = partial(self._services.release_seats.release, hold_id=hold_id, buyer_id=fan.buyer_id, key=key)
        outcome = await self._ask(fan, "release", work, key)
        if isinstance(outcome, Settled) and isinstance(outcome.receipt, ReleaseReceipt):
            self._again(fan, "release", key, outcome.receipt.hold_id)
            self._witness.told_released(outcome.receipt)

    async def leave(self, fan: Fan, key: IdempotencyKey | None, ref: PlaceRef) -> None:
        """Leave the line, and whatever is held under the place."""
        self._witness.ask_to_leave(ref)
        ended = await self._ask(fan, "leave", partial(self._services.leave_line.leave, ref=ref, key=key), key)
        if isinstance(ended, PlaceEnded):
            self._witness.told_left(ref)

    async def charge(self, fan: Fan, key: IdempotencyKey | None) -> bool:
        """Put money into the wallet; return whether it is known to be there."""
        asked = self._witness.charges_asked.setdefault(fan.buyer_id, set())
        asked.add(len(asked) if key is None else key.value)
        work = partial(self._services.charge.charge, buyer_id=fan.buyer_id, amount_won=Won(10_000), key=key)
        outcome = await self._ask(fan, "charge", work, key)
        if isinstance(outcome, Settled) and isinstance(outcome.receipt, WalletReceipt):
            self._again(fan, "charge", key, outcome.receipt.transfer_id)
            self._witness.told_charged(outcome.receipt, fan.buyer_id)
        return isinstance(outcome, Settled)

    @property
    def _now(self) -> Instant:
        return self._server.house.stores.clock.now()

    def _again(self, fan: Fan, call: str, key: IdempotencyKey | None, effect: object) -> None:
        if key is not None:
            self._witness.told_again((fan.buyer_id, call, key.value), effect)

    async def _ask(self, fan: Fan, call: str, work: Work[T], key: IdempotencyKey | None) -> T | Rejection | None:
        """Return the answer, None where there was none. Who asks a server that dies hears nothing."""
        answer: T | Rejection | None
        try:
            answer = await self._services.under_way.settle(work, buyer_id=fan.buyer_id, call=call, key=key)
        except Rejection as rejection:
            answer = rejection
        except Fault as fault:
            self._happened["no answer"] += 1
            self._happened[f"no answer: {type(fault).__name__}"] += 1
            answer = None
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is our bug
            self._witness.contradict(f"{call} failed with {error!r}")
            answer = None
        if self._server.loop.is_dead:
            raise asyncio.CancelledError
        self._happened[f"{call}: {_kind(answer)}"] += 1
        return answer


def _kind(answer: object) -> str:
    return "no answer" if answer is None else type(answer).__name__
