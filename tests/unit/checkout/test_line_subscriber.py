"""What the line is told of the sale: which holds run, which places are used up."""

from collections.abc import Callable, Sequence

from stagedoor.checkout.events import OrderPaid, PlaceClosed
from stagedoor.checkout.line_subscriber import TellTheLine
from stagedoor.holds.events import HoldExpired, HoldExtended, HoldPlaced, HoldReleased
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import BuyerId, EventId, HoldId, OrderId, PerformanceId, PlaceRef, QueueNumber, RoomId, SeatId
from stagedoor.kernel.money import Won
from stagedoor.waiting_room.model import EndCause
from stagedoor.waiting_room.ports import EndPlace, HoldNote, PlaceEnded
from stagedoor.waiting_room.rejections import UnknownPlace
from tests.builders.events import something

NOON = Instant(1_800_000_000_000)
MAIN = RoomId("main")
PLACE = PlaceRef(room_id=MAIN, number=QueueNumber(7))
UNTIL = Instant(NOON + 300_000)


def told(kind: Callable[..., DomainEvent], **more: object) -> DomainEvent:
    return kind(
        event_id=EventId("e1"),
        occurred_at=NOON,
        buyer_id=BuyerId(1),
        room_id=MAIN,
        place_number=QueueNumber(7),
        **more,
    )


def of_hold(kind: Callable[..., DomainEvent], **more: object) -> DomainEvent:
    return told(kind, hold_id=HoldId(5), performance_id=PerformanceId(1), seat_ids=(SeatId(2),), **more)


def paid(*, place_over: bool) -> DomainEvent:
    return of_hold(OrderPaid, order_id=OrderId(9), amount_won=Won(50_000), place_over=place_over)


class ListeningLine:
    """A line that writes down what it is told."""

    def __init__(self) -> None:
        self.notes: list[HoldNote] = []
        self.endings: list[EndPlace] = []
        self.used_up: list[PlaceRef] = []

    async def note_holds(self, notes: Sequence[HoldNote]) -> None:
        self.notes += notes

    async def end(self, endings: Sequence[EndPlace]) -> Sequence[PlaceEnded | Rejection]:
        self.endings += endings
        return [UnknownPlace() for _ in endings]

    async def use_up(self, refs: Sequence[PlaceRef]) -> None:
        self.used_up += refs


async def after(*events: DomainEvent) -> ListeningLine:
    line = ListeningLine()
    await TellTheLine(line=line)(events)  # type: ignore[arg-type]  # it needs no more of a line than this
    return line


async def test_a_hold_is_noted_with_its_deadline() -> None:
    line = await after(of_hold(HoldPlaced, expires_at=UNTIL))

    assert line.notes == [HoldNote(ref=PLACE, hold_id=HoldId(5), until=UNTIL, known_at=NOON)]
    assert line.endings == []


async def test_a_deadline_that_moved_replaces_the_one_before() -> None:
    line = await after(of_hold(HoldExtended, expires_at=UNTIL, extended_ms=47_000, cause="outage"))

    assert line.notes == [HoldNote(ref=PLACE, hold_id=HoldId(5), until=UNTIL, known_at=NOON)]


async def test_what_ends_a_hold_takes_its_note_away() -> None:
    ends = (of_hold(HoldReleased), of_hold(HoldExpired, expires_at=UNTIL), paid(place_over=False))

    for event in ends:
        line = await after(event)
        assert line.notes == [HoldNote(ref=PLACE, hold_id=HoldId(5), until=None)]
        assert (line.endings, line.used_up) == ([], [])


async def test_a_payment_of_the_last_hold_uses_the_place_up() -> None:
    line = await after(paid(place_over=True))

    assert line.used_up == [PLACE]
    assert line.endings == []


async def test_a_place_that_was_left_ends_and_a_line_that_has_forgotten_it_is_no_failure() -> None:
    line = await after(told(PlaceClosed))

    assert line.endings == [EndPlace(ref=PLACE, cause=EndCause.LEFT)]
    assert line.used_up == []


async def test_other_events_are_ignored() -> None:
    line = await after(something("e2"))

    assert (line.notes, line.endings, line.used_up) == ([], [], [])
