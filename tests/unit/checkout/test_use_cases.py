"""The use cases around the till: what the line is told, and what is asked of the sale."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from stagedoor.checkout.commands import ChargeWallet, ClosePlace, PayForHold, PlaceHold, SaleCommand
from stagedoor.checkout.outcomes import CloseReceipt, HoldReceipt, OrderReceipt, Outcome, Settled
from stagedoor.checkout.use_cases import (
    RESERVING_MS,
    Charge,
    CloseLeftPlace,
    Pay,
    ReleaseSeats,
    ReserveSeats,
    new_event_id,
)
from stagedoor.holds.rejections import SeatsTaken, UnknownHold
from stagedoor.kernel.clock import Instant, ManualClock, Outage, later
from stagedoor.kernel.errors import Fault, Rejection, TooLate
from stagedoor.kernel.ids import HoldId, OrderId, PlaceRef, RoomId, SeatId
from stagedoor.kernel.money import Won
from stagedoor.waiting_room.model import LineView, PlaceState, PlaceView, SignedPlace
from stagedoor.waiting_room.ports import (
    EndPlace,
    HoldNote,
    Join,
    Joined,
    PlaceEnded,
    Turn,
    TurnReport,
    WaitingLine,
)
from stagedoor.waiting_room.rejections import PlaceIsOver, UnknownPlace
from stagedoor.wallet.rejections import ChargeNotAllowed
from tests.builders.sale import ANN, DEADLINE, NOON, PLAY, PRICE, a_place

HERS = a_place(1)
SESSION_END = later(NOON, 60_000)


def seven() -> int:
    """Be as unguessable as 7 is."""
    return 7


@dataclass
class Line(WaitingLine):
    """A line with one place in it, that remembers what it was told of holds."""

    state: PlaceState = PlaceState.ADMITTED
    notes: list[Instant | None] = field(default_factory=list)
    session_ends_at: Instant = SESSION_END
    store_is_away: bool = False

    def is_settled(self, ref: PlaceRef, *, entering: bool = False) -> bool:
        return True

    def mark_used_up(self, ref: PlaceRef) -> None:
        raise AssertionError(f"nobody has paid at {ref}")

    async def settled(self, ref: PlaceRef, *, signed: SignedPlace | None = None, entering: bool = False) -> None:
        pass

    def look_at_once(self, ref: PlaceRef, *, telling: bool = False) -> PlaceView | None:
        assert not telling
        if ref != HERS:
            return None
        return PlaceView(
            ref=ref,
            buyer_id=ANN,
            state=self.state,
            position=0,
            token_expires_at=DEADLINE,
            poll_after_ms=1_000,
            session_ends_at=self.session_ends_at if self.state is PlaceState.ADMITTED else None,
        )

    async def note_holds(self, notes: Sequence[HoldNote]) -> None:
        self.notes += [note.until for note in notes]
        if self.store_is_away:
            raise Fault("nobody else was told")

    async def join(self, joins: Sequence[Join]) -> Sequence[Joined | Rejection]:
        raise NotImplementedError

    async def turn(self, turns: Sequence[Turn]) -> Sequence[TurnReport]:
        raise NotImplementedError

    async def end(self, endings: Sequence[EndPlace]) -> Sequence[PlaceEnded | Rejection]:
        raise NotImplementedError

    def view(self, room_id: RoomId) -> LineView:
        raise NotImplementedError

    def give_back(self, outage: Outage) -> None:
        raise NotImplementedError

    async def idle(self) -> None:
        raise NotImplementedError


@dataclass
class Sale:
    """A sale that gives one answer, and remembers what it was asked and what the line knew by then."""

    line: Line = field(default_factory=Line)
    answer: Outcome | Fault = field(default_factory=SeatsTaken)
    asked: list[SaleCommand] = field(default_factory=list)
    noted_before: list[Instant | None] = field(default_factory=list)

    async def settle(self, command: SaleCommand) -> Outcome:
        self.asked.append(command)
        self.noted_before = list(self.line.notes)
        if isinstance(self.answer, Fault):
            raise self.answer
        return self.answer


def kept(hold_id: int) -> Settled:
    return Settled(
        receipt=HoldReceipt(
            hold_id=HoldId(hold_id),
            buyer_id=ANN,
            performance_id=PLAY,
            seat_ids=(SeatId(1),),
            amount_won=PRICE,
            placed_at=NOON,
            expires_at=DEADLINE,
            answered_at=NOON,
        )
    )


@dataclass
class SaleOverAnOutage(Sale):
    """A sale that goes by the clock after an outage, in which the line has given back *given_ms*."""

    given_ms: int = 20_000

    async def settle(self, command: SaleCommand) -> Outcome:
        assert isinstance(command, PlaceHold)
        assert command.session_ends_at is not None
        await super().settle(command)
        self.line.session_ends_at = later(SESSION_END, self.given_ms)
        return PlaceIsOver() if command.session_ends_at == SESSION_END else kept(command.hold_id)


async def reserve(sale: Sale, ref: PlaceRef = HERS, *, clock: ManualClock | None = None) -> Settled:
    use_case = ReserveSeats(line=sale.line, settle=sale.settle, new_id=seven, clock=clock or ManualClock(NOON))
    return await use_case.reserve(ref=ref, buyer_id=ANN, performance_id=PLAY, seat_ids=[SeatId(1)], key=None)


async def test_a_reserve_that_was_under_way_over_an_outage_is_judged_by_the_session_as_it_is_after_it() -> None:
    sale = SaleOverAnOutage()

    settled = await reserve(sale)

    assert isinstance(settled.receipt, HoldReceipt)
    assert [_session(command) for command in sale.asked] == [SESSION_END, later(SESSION_END, 20_000)]
    assert sale.line.notes[-1] == DEADLINE


async def test_a_place_that_is_over_without_an_outage_is_asked_about_once() -> None:
    sale = SaleOverAnOutage(given_ms=0)

    with pytest.raises(PlaceIsOver):
        await reserve(sale)

    assert (len(sale.asked), sale.line.notes[-1]) == (1, None)


def _session(command: SaleCommand) -> Instant | None:
    assert isinstance(command, PlaceHold)
    return command.session_ends_at


class TestReserving:
    async def test_the_sale_is_told_how_the_place_stands(self) -> None:
        sale = Sale(answer=kept(7))

        settled = await reserve(sale)

        [command] = sale.asked
        assert isinstance(command, PlaceHold)
        assert (command.hold_id, command.place, command.session_ends_at) == (7, HERS, SESSION_END)
        assert settled == sale.answer

    async def test_the_line_knows_before_the_sale_is_asked_and_until_when_after(self) -> None:
        sale = Sale(answer=kept(7))

        await reserve(sale)

        assert sale.noted_before == [later(NOON, RESERVING_MS)]
        assert sale.line.notes == [later(NOON, RESERVING_MS), DEADLINE]

    @pytest.mark.parametrize("since_its_end_ms", [-1_000, 0, 5_000])
    async def test_a_note_keeps_nobody_inside_for_longer_than_that_after_her_session(
        self, since_its_end_ms: int
    ) -> None:
        """Another note may keep her in by then; whoever writes one after the other must not stay for ever."""
        sale = Sale(answer=TooLate("the caller's deadline had passed"))
        clock = ManualClock(later(SESSION_END, since_its_end_ms))

        with pytest.raises(TooLate):
            await reserve(sale, clock=clock)

        assert sale.line.notes == [later(SESSION_END, min(since_its_end_ms, 0) + RESERVING_MS)]

    async def test_whoever_is_inside_buys_on_while_the_line_can_tell_nobody_else(self) -> None:
        sale = Sale(answer=kept(7), line=Line(store_is_away=True))

        await reserve(sale)

        assert sale.line.notes == [later(NOON, RESERVING_MS), DEADLINE]

    async def test_a_refusal_takes_the_note_back(self) -> None:
        sale = Sale(answer=SeatsTaken())

        with pytest.raises(SeatsTaken):
            await reserve(sale)

        assert sale.line.notes == [later(NOON, RESERVING_MS), None]

    async def test_a_hold_she_had_before_keeps_its_own_note(self) -> None:
        sale = Sale(answer=kept(1001))

        await reserve(sale)

        assert sale.line.notes == [later(NOON, RESERVING_MS), None]

    async def test_no_answer_leaves_the_note_to_lapse(self) -> None:
        sale = Sale(answer=Fault("the disk is gone"))

        with pytest.raises(Fault):
            await reserve(sale)

        assert sale.line.notes == [later(NOON, RESERVING_MS)]

    @pytest.mark.parametrize("state", [PlaceState.WAITING, PlaceState.PASSED_OVER, PlaceState.DONE])
    async def test_who_is_not_inside_is_not_noted(self, state: PlaceState) -> None:
        sale = Sale(line=Line(state=state))

        with pytest.raises(SeatsTaken):
            await reserve(sale)

        assert sale.line.notes == []

    async def test_a_place_nobody_knows(self) -> None:
        sale = Sale()

        with pytest.raises(UnknownPlace):
            await reserve(sale, a_place(404))

        assert sale.asked == []


async def test_a_rejection_is_raised() -> None:
    sale = Sale(answer=UnknownHold())

    with pytest.raises(UnknownHold):
        await ReleaseSeats(settle=sale.settle).release(hold_id=HoldId(1), buyer_id=ANN, key=None)


def paid(*, place_over: bool, replayed: bool = False) -> Settled:
    receipt = OrderReceipt(
        order_id=OrderId(7), hold_id=HoldId(1), place=HERS, amount_won=PRICE, paid_at=NOON, place_over=place_over
    )
    return Settled(receipt=receipt, replayed=replayed)


class TestPaying:
    """What a payment asks of the sale, and of the line."""

    used_up: list[PlaceRef]

    async def pay(self, sale: "Sale") -> Settled:
        self.used_up = []
        pay = Pay(settle=sale.settle, new_id=seven, mark_used_up=self.used_up.append)
        return await pay.pay(hold_id=HoldId(1), buyer_id=ANN, key=None)

    async def test_it_carries_the_ids_it_may_create(self) -> None:
        sale = Sale(answer=paid(place_over=False))

        await self.pay(sale)

        [command] = sale.asked
        assert isinstance(command, PayForHold)
        assert (command.order_id, command.transfer_id) == (7, 7)

    async def test_a_place_that_is_used_up_is_marked_at_once(self) -> None:
        await self.pay(Sale(answer=paid(place_over=True)))

        assert self.used_up == [HERS]

    async def test_a_place_with_another_hold_goes_on(self) -> None:
        await self.pay(Sale(answer=paid(place_over=False)))

        assert self.used_up == []

    async def test_a_replay_ends_nothing_again(self) -> None:
        await self.pay(Sale(answer=paid(place_over=True, replayed=True)))

        assert self.used_up == []


async def test_a_left_place_is_closed() -> None:
    sale = Sale(answer=Settled(receipt=CloseReceipt(place=HERS, released=())))

    await CloseLeftPlace(settle=sale.settle).close(ANN, HERS)

    assert sale.asked == [ClosePlace(buyer_id=ANN, place=HERS)]


class TestCharging:
    async def test_a_fan_charges_herself_where_she_may(self) -> None:
        sale = Sale(answer=kept(7))

        await Charge(settle=sale.settle, new_id=seven, fans_may_charge=True).charge(
            buyer_id=ANN, amount_won=Won(5), key=None
        )

        [command] = sale.asked
        assert isinstance(command, ChargeWallet)
        assert command.by_shop is None

    async def test_a_fan_does_not_where_only_the_shop_may(self) -> None:
        sale = Sale(answer=kept(7))
        charge = Charge(settle=sale.settle, new_id=seven, fans_may_charge=False)

        with pytest.raises(ChargeNotAllowed):
            await charge.charge(buyer_id=ANN, amount_won=Won(5), key=None)
        await charge.charge(buyer_id=ANN, amount_won=Won(5), by_shop="key:till", key=None)

        assert len(sale.asked) == 1


def test_event_ids_sort_by_time_and_fit_their_column() -> None:
    early, late = new_event_id(lambda bits: (1 << bits) - 1, NOON), new_event_id(lambda _: 0, later(NOON, 1))

    assert early < late
    assert len(early) == len(late) == 32
