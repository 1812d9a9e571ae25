"""What a buyer, and the clock, can ask of the sale."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from stagedoor.checkout.commands import (
    ChargeWallet,
    ClosePlace,
    PayForHold,
    PlaceHold,
    ReleaseHold,
    SaleCommand,
)
from stagedoor.checkout.decide import decide, expire
from stagedoor.checkout.outcomes import HoldReceipt, OrderReceipt, Outcome, Settled
from stagedoor.checkout.ports import SalesBook, SaleWork
from stagedoor.holds.model import HoldPolicy
from stagedoor.kernel.clock import SECOND_MS, Clock, Instant, later
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import (
    BuyerId,
    EventId,
    HoldId,
    NewId,
    OrderId,
    PerformanceId,
    PlaceRef,
    RandomBits,
    SeatId,
    TransferId,
)
from stagedoor.kernel.money import Won
from stagedoor.seating.switch import ALL_OPEN, SaleSwitches
from stagedoor.waiting_room.model import Standing
from stagedoor.waiting_room.ports import HoldNote, WaitingLine
from stagedoor.waiting_room.rejections import PlaceIsOver, UnknownPlace
from stagedoor.wallet.rejections import ChargeNotAllowed

EVENT_ID_RANDOM_BITS = 80

RESERVING_MS = 15 * SECOND_MS
"""
How long the line takes a pass for one that holds seats while the sale has not answered yet.

Never longer than that beyond the end of the session: who asks again and again and never hears, because she is in such a
hurry, would stay inside for ever.
"""

Settle = Callable[[SaleCommand], Awaitable[Outcome]]


def _no_switches() -> SaleSwitches:
    return ALL_OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleSale:
    """Decides a batch of commands, as the *switches* let it, and makes it durable, in one unit of work."""

    book: SalesBook
    policy: HoldPolicy
    event_ids: RandomBits
    switches: Callable[[], SaleSwitches] = _no_switches

    async def settle(self, commands: Sequence[SaleCommand]) -> Sequence[Outcome]:
        """
        Return one outcome a command, in their order; what took effect is durable.

        A batch that changes nothing is not committed. Raises `Fault` if the
        store failed: then none of it has happened.
        """

        async def body(work: SaleWork) -> Sequence[Outcome]:
            rows = await work.load(commands, self.policy)
            outcomes, writes = decide(rows, commands, self.policy, self._new_event_id, self.switches())
            if not writes.is_empty:
                await work.write(writes)
                await work.commit()
            return outcomes

        return await self.book.unit_of_work(body) if commands else []

    def _new_event_id(self, at: Instant) -> EventId:
        return new_event_id(self.event_ids, at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TidyHolds:
    """Writes down which holds have expired. Nothing is decided by it: from its deadline on a hold was over anyway."""

    book: SalesBook
    event_ids: RandomBits

    async def tidy(self, *, limit: int) -> int:
        """Mark the oldest overdue holds expired, at most *limit*; return how many."""

        async def body(work: SaleWork) -> int:
            rows = await work.overdue(limit=limit)
            if rows.holds:
                await work.write(expire(rows, HoldPolicy(), self._new_event_id))
                await work.commit()
            return len(rows.holds)

        return await self.book.unit_of_work(body)

    def _new_event_id(self, at: Instant) -> EventId:
        return new_event_id(self.event_ids, at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveSeats:
    """Keeps seats for an admitted buyer."""

    line: WaitingLine
    settle: Settle
    new_id: NewId
    clock: Clock

    async def reserve(
        self,
        *,
        ref: PlaceRef,
        buyer_id: BuyerId,
        performance_id: PerformanceId,
        seat_ids: Sequence[SeatId],
        key: IdempotencyKey | None,
    ) -> Settled:
        """
        Place a hold on *seat_ids*, which are distinct.

        Raises `UnknownPlace`, `UnknownBuyer`, `UnknownPerformance`,
        `UnknownSeat`, `KeyReused`, `TooManyKeys`, `PlaceIsOver`,
        `StillWaiting`, `TooManySeats`, `SoldOut`, `SeatsTaken`.
        """
        place = await self.line.look(ref)
        if place is None:
            raise UnknownPlace
        command = PlaceHold(
            hold_id=HoldId(self.new_id()),
            buyer_id=buyer_id,
            place=ref,
            standing=place.standing,
            session_ends_at=place.session_ends_at,
            performance_id=performance_id,
            seat_ids=tuple(seat_ids),
            key=key,
        )
        if place.standing is not Standing.ADMITTED:
            return _settled(await self.settle(command))
        outcome = await self._noted(command)
        if isinstance(outcome, PlaceIsOver) and (later_on := await self._standing_on(command)) is not None:
            outcome = await self._noted(later_on)
        return _settled(outcome)

    async def _noted(self, command: PlaceHold) -> Outcome:
        # Told before the sale is asked, so that the line cannot end the pass between her call and her hold. Where the
        # sale gives no answer, nobody knows whether she holds seats: then the note is left to lapse.
        now = self.clock.now()
        until = later(now if command.session_ends_at is None else min(now, command.session_ends_at), RESERVING_MS)
        await self._note(command, until, known_at=now)
        place = self.line.look_at_once(command.place)
        if place is not None and place.standing is not Standing.ADMITTED:
            # Another process may have ended the pass before the note came to the line's store.
            command = replace(command, standing=place.standing)
        outcome = await self.settle(command)
        match outcome:
            case Settled(receipt=HoldReceipt(hold_id=command.hold_id) as receipt):
                await self._note(command, receipt.expires_at, known_at=receipt.answered_at)
            case _:
                await self._note(command, None)
        return outcome

    async def _standing_on(self, command: PlaceHold) -> PlaceHold | None:
        """Return the command with a later end of her session, where one was given back to her since it was made."""
        place = await self.line.look(command.place)
        if place is None or place.standing is not Standing.ADMITTED or place.session_ends_at is None:
            return None
        if command.session_ends_at is not None and place.session_ends_at <= command.session_ends_at:
            return None
        return replace(command, session_ends_at=place.session_ends_at)

    async def _note(self, command: PlaceHold, until: Instant | None, *, known_at: Instant | None = None) -> None:
        note = HoldNote(ref=command.place, hold_id=command.hold_id, until=until, known_at=known_at)
        # Whoever was admitted buys on while the line's store is away; her hold's event tells of it until it is heard.
        with suppress(Fault):
            await self.line.note_holds([note])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSeats:
    """Lets the seats of a hold go."""

    settle: Settle

    async def release(self, *, hold_id: HoldId, buyer_id: BuyerId, key: IdempotencyKey | None) -> Settled:
        """
        Release the hold.

        Raises `UnknownBuyer`, `UnknownHold`, `KeyReused`, `TooManyKeys`, `AlreadyPaid`, `HoldIsOver`.
        """
        return _settled(await self.settle(ReleaseHold(hold_id=hold_id, buyer_id=buyer_id, key=key)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLeftPlace:
    """Frees what is held under a place that its buyer has left, and takes no more under it."""

    settle: Settle

    async def close(self, buyer_id: BuyerId, ref: PlaceRef) -> None:
        """Close the place in the sale; closing twice is harmless. Raises `UnknownBuyer`."""
        _settled(await self.settle(ClosePlace(buyer_id=buyer_id, place=ref)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay:
    """Turns a hold into a paid order, and ends the place that it used up."""

    settle: Settle
    new_id: NewId
    mark_used_up: Callable[[PlaceRef], None]

    async def pay(self, *, hold_id: HoldId, buyer_id: BuyerId, key: IdempotencyKey | None) -> Settled:
        """
        Pay for the hold from the buyer's wallet.

        Raises `UnknownBuyer`, `UnknownHold`, `KeyReused`, `TooManyKeys`,
        `AlreadyPaid`, `HoldIsOver`, `BalanceTooSmall`.

        The line is told at once, so that whoever asks for a new place right
        after gets it. It stops no payment, and what it forgets is told again by
        the order's event.
        """
        command = PayForHold(
            hold_id=hold_id,
            buyer_id=buyer_id,
            order_id=OrderId(self.new_id()),
            transfer_id=TransferId(self.new_id()),
            key=key,
        )
        settled = _settled(await self.settle(command))
        receipt = settled.receipt
        if isinstance(receipt, OrderReceipt) and receipt.place_over and not settled.replayed:
            self.mark_used_up(receipt.place)
        return settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Credits a wallet; *fans_may_charge* says whether a buyer may do so herself."""

    settle: Settle
    new_id: NewId
    fans_may_charge: bool

    async def charge(
        self, *, buyer_id: BuyerId, amount_won: Won, by_shop: str | None = None, key: IdempotencyKey | None
    ) -> Settled:
        """
        Credit *amount_won*, from 1 to `CHARGE_WON_MAX`; *by_shop* names the operator behind it.

        Raises `ChargeNotAllowed`, `UnknownBuyer`, `KeyReused`, `TooManyKeys`, `BalanceTooLarge`.
        """
        if by_shop is None and not self.fans_may_charge:
            raise ChargeNotAllowed
        command = ChargeWallet(
            buyer_id=buyer_id,
            amount_won=amount_won,
            transfer_id=TransferId(self.new_id()),
            by_shop=by_shop,
            key=key,
        )
        return _settled(await self.settle(command))


def new_event_id(random_bits: RandomBits, at: Instant) -> EventId:
    """
    Return an id that no other event has: 32 hexadecimal digits, the first twelve of them the milliseconds.

    It is no secret; ids of one moment lie side by side in an index.
    """
    return EventId(f"{at:012x}{random_bits(EVENT_ID_RANDOM_BITS):020x}")


def _settled(outcome: Outcome) -> Settled:
    if isinstance(outcome, Rejection):
        raise outcome
    return outcome
