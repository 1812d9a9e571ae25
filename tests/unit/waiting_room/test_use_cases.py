"""The use cases over a line, rooms and supply that say what the test wants."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from stagedoor.kernel.clock import ManualClock, Outage
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId, PlaceRef, RoomId
from stagedoor.waiting_room.model import EndCause, LineView, PlaceState, PlaceView, SignedPlace
from stagedoor.waiting_room.ports import (
    Conditions,
    EndPlace,
    HoldNote,
    Join,
    Joined,
    Members,
    PlaceEnded,
    RoomBook,
    RoomSupply,
    Supply,
    Turn,
    TurnReport,
    WaitingLine,
)
from stagedoor.waiting_room.rejections import PlaceIsOver, StillWaiting, UnknownBuyer, UnknownPlace, UnknownRoom
from stagedoor.waiting_room.room import Room, RoomState
from stagedoor.waiting_room.rooms import ReadRooms
from stagedoor.waiting_room.use_cases import (
    AdmitNext,
    CheckPlace,
    EnterRoom,
    IssueToken,
    JoinMembers,
    LeaveLine,
    RecognizePlace,
    RoomStatus,
)
from tests.builders.line import NOON, a_ref, a_room, taken

ANN = BuyerId(7)
STRANGER = BuyerId(8)
KEY = IdempotencyKey(value="k", fingerprint="body")
VIP_ROOM = RoomId("vip")


def a_place(state: PlaceState = PlaceState.WAITING, number: int = 1) -> PlaceView:
    return PlaceView(
        ref=a_ref(number), buyer_id=ANN, state=state, position=1, token_expires_at=NOON, poll_after_ms=1_000
    )


@dataclass
class FakeLine(WaitingLine):
    """Answers with what it was given, and remembers what it was asked."""

    place: PlaceView | None = None
    fails: bool = False
    looked: list[tuple[PlaceRef, bool]] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    joined: list[Join] = field(default_factory=list)

    async def join(self, joins: Sequence[Join]) -> Sequence[Joined | Rejection]:
        assert self.place is not None
        assert joins
        self.joined += joins
        return [Joined(place=self.place) for _ in joins]

    def is_settled(self, ref: PlaceRef, *, entering: bool = False) -> bool:
        return not self.fails

    def mark_used_up(self, ref: PlaceRef) -> None:
        raise AssertionError(f"nobody has paid at {ref}")

    async def settled(self, ref: PlaceRef, *, signed: SignedPlace | None = None, entering: bool = False) -> None:
        if self.fails:
            raise Fault("the line cannot be asked")

    def look_at_once(self, ref: PlaceRef, *, telling: bool = False) -> PlaceView | None:
        self.looked.append((ref, telling))
        return self.place

    async def turn(self, turns: Sequence[Turn]) -> Sequence[TurnReport]:
        self.turns += turns
        return [TurnReport(room_id=turn.room.id, admitted=2, passed_over=1, ended=1) for turn in turns]

    async def end(self, endings: Sequence[EndPlace]) -> Sequence[PlaceEnded | Rejection]:
        raise NotImplementedError

    async def note_holds(self, notes: Sequence[HoldNote]) -> None:
        raise NotImplementedError

    def view(self, room_id: RoomId) -> LineView:
        return LineView(room_id=room_id, serving_number=1, last_number=2, waiting=1, active=1, admitted_per_second=None)

    def give_back(self, outage: Outage) -> None:
        raise NotImplementedError

    async def idle(self) -> None:
        raise NotImplementedError


class Book(RoomBook):
    """Rooms as stored."""

    def __init__(self, *rooms: Room) -> None:
        self.rooms = rooms

    async def all(self) -> Sequence[Room]:
        return self.rooms


class OnlyAnn(Members):
    async def known(self, buyer_ids: Sequence[BuyerId]) -> Sequence[bool | Fault]:
        return [buyer_id == ANN for buyer_id in buyer_ids]


class OnlyMainSells(Supply):
    def of(self, room_id: RoomId) -> RoomSupply:
        return RoomSupply(free=5 if room_id == MAIN_ROOM else 0, held=0, next_hold_ends_at=None)


async def read(*rooms: Room) -> ReadRooms:
    read_rooms = ReadRooms(Book(*rooms))
    await read_rooms.refresh()
    return read_rooms


class Counter:
    """Where joins and endings arrive one by one."""

    def __init__(self, outcome: Joined | PlaceEnded | Rejection) -> None:
        self.outcome = outcome
        self.asked: list[Join | EndPlace] = []

    async def join(self, join: Join) -> Joined | Rejection:
        self.asked.append(join)
        assert not isinstance(self.outcome, PlaceEnded)
        return self.outcome

    async def end(self, ending: EndPlace) -> PlaceEnded | Rejection:
        self.asked.append(ending)
        assert not isinstance(self.outcome, Joined)
        return self.outcome


async def test_rooms_are_as_last_read() -> None:
    book = Book(a_room(MAIN_ROOM))
    rooms = ReadRooms(book)
    before = rooms.get(MAIN_ROOM)

    await rooms.refresh()
    book.rooms = (a_room(MAIN_ROOM, max_active=7), a_room(VIP_ROOM))
    unchanged = rooms.get(MAIN_ROOM)
    await rooms.refresh()

    assert before is None
    assert unchanged == a_room(MAIN_ROOM)
    assert list(rooms.all()) == list(book.rooms)
    assert rooms.get(RoomId("nowhere")) is None


async def test_a_member_gets_her_place() -> None:
    counter = Counter(Joined(place=a_place()))
    issue = IssueToken(rooms=await read(a_room()), join=counter.join)

    joined = await taken(issue.issue(buyer_id=ANN, room_id=MAIN_ROOM, key=KEY))

    assert joined.place == a_place()
    assert counter.asked == [Join(room=a_room(), buyer_id=ANN, key=KEY)]


async def test_nobody_is_asked_for_a_place_in_a_room_that_is_not_known() -> None:
    counter = Counter(Joined(place=a_place()))
    issue = IssueToken(rooms=await read(a_room()), join=counter.join)

    with pytest.raises(UnknownRoom):
        await issue.issue(buyer_id=ANN, room_id=VIP_ROOM, key=None)

    assert counter.asked == []


@pytest.mark.parametrize("buyer_ids", [[ANN], [STRANGER], [ANN, STRANGER, ANN], [STRANGER, ANN, STRANGER]])
async def test_only_members_come_to_the_line_and_each_gets_her_own_answer(buyer_ids: Sequence[BuyerId]) -> None:
    line = FakeLine(place=a_place())

    outcomes = await JoinMembers(members=OnlyAnn(), line=line).join(
        [Join(room=a_room(), buyer_id=each) for each in buyer_ids]
    )

    assert [join.buyer_id for join in line.joined] == [each for each in buyer_ids if each == ANN]
    assert [isinstance(outcome, Joined) for outcome in outcomes] == [each == ANN for each in buyer_ids]
    assert all(isinstance(outcome, Joined | UnknownBuyer) for outcome in outcomes)


class NobodyCanSayWhoElse(OnlyAnn):
    """Remembers Ann, and can look for nobody."""

    async def known(self, buyer_ids: Sequence[BuyerId]) -> Sequence[bool | Fault]:
        return [is_ann or Fault("no reads") for is_ann in await super().known(buyer_ids)]


async def test_who_cannot_be_looked_for_takes_nobody_down_who_comes_with_her() -> None:
    line = FakeLine(place=a_place())

    outcomes = await JoinMembers(members=NobodyCanSayWhoElse(), line=line).join(
        [Join(room=a_room(), buyer_id=each) for each in (ANN, STRANGER, ANN)]
    )

    assert [type(outcome) for outcome in outcomes] == [Joined, Fault, Joined]
    assert [join.buyer_id for join in line.joined] == [ANN, ANN]


async def test_to_check_is_to_be_told() -> None:
    line = FakeLine(place=a_place())
    check = CheckPlace(line=line, rooms=await read(a_room()), supply=OnlyMainSells(), clock=ManualClock(NOON))

    status = check.check(a_ref(1))

    assert line.looked == [(a_ref(1), True)]
    assert (status.place, status.room_state, status.supply.free, status.now) == (a_place(), RoomState.OPEN, 5, NOON)


class Out(Conditions):
    is_paused = True
    is_stale = True


async def test_the_conditions_are_told_with_a_place_and_with_a_room() -> None:
    line, rooms, clock = FakeLine(place=a_place()), await read(a_room()), ManualClock(NOON)
    place = CheckPlace(line=line, rooms=rooms, supply=OnlyMainSells(), clock=clock, conditions=Out()).check(a_ref(1))
    room = RoomStatus(line=line, rooms=rooms, supply=OnlyMainSells(), clock=clock, conditions=Out()).status(
        room_id=MAIN_ROOM
    )

    assert (place.is_paused, place.is_stale, room.is_paused, room.is_stale) == (True, True, True, True)


@pytest.mark.parametrize("room_id", [MAIN_ROOM, VIP_ROOM])
async def test_an_unknown_place_cannot_be_checked(room_id: RoomId) -> None:
    check = CheckPlace(
        line=FakeLine(place=None), rooms=await read(a_room()), supply=OnlyMainSells(), clock=ManualClock(NOON)
    )

    with pytest.raises(UnknownPlace):
        check.check(a_ref(1, room_id))


async def test_a_room_s_status_is_for_everybody() -> None:
    status = RoomStatus(line=FakeLine(), rooms=await read(a_room()), supply=OnlyMainSells(), clock=ManualClock(NOON))

    report = status.status(room_id=MAIN_ROOM)

    assert (report.room, report.line.last_number, report.supply.free) == (a_room(), 2, 5)
    with pytest.raises(UnknownRoom):
        status.status(room_id=VIP_ROOM)


@pytest.mark.parametrize(
    ("place", "refusal"),
    [
        (None, UnknownPlace),
        (a_place(PlaceState.WAITING), StillWaiting),
        (a_place(PlaceState.PASSED_OVER), StillWaiting),
        (a_place(PlaceState.DONE), PlaceIsOver),
        (a_place(PlaceState.EXPIRED), PlaceIsOver),
    ],
)
async def test_only_the_admitted_may_pass(place: PlaceView | None, refusal: type[Rejection]) -> None:
    with pytest.raises(refusal):
        EnterRoom(line=FakeLine(place=place)).enter(a_ref(1))


async def test_the_admitted_may_pass() -> None:
    place = a_place(PlaceState.ADMITTED)

    assert EnterRoom(line=FakeLine(place=place)).enter(a_ref(1)) == place


async def test_a_token_proves_its_buyer_also_when_the_line_cannot_be_asked() -> None:
    await RecognizePlace(line=FakeLine(place=a_place(PlaceState.DONE))).recognize(ref=a_ref(1))
    await RecognizePlace(line=FakeLine(fails=True)).recognize(ref=a_ref(1))

    with pytest.raises(UnknownPlace):
        await RecognizePlace(line=FakeLine(place=None)).recognize(ref=a_ref(1))


@pytest.mark.parametrize("was_admitted", [True, False])
async def test_leaving_always_closes_the_place_in_the_sale_too(*, was_admitted: bool) -> None:
    counter = Counter(PlaceEnded(place=a_place(PlaceState.EXPIRED), was_admitted=was_admitted))
    closed: list[tuple[BuyerId, PlaceRef]] = []

    async def close_place(buyer_id: BuyerId, ref: PlaceRef) -> None:
        assert counter.asked
        closed.append((buyer_id, ref))

    await LeaveLine(end=counter.end, close_place=close_place).leave(ref=a_ref(1), key=KEY)

    assert counter.asked == [EndPlace(ref=a_ref(1), cause=EndCause.LEFT, key=KEY)]
    assert closed == [(ANN, a_ref(1))]


async def test_what_could_not_be_left_is_not_closed() -> None:
    closed: list[PlaceRef] = []

    async def close_place(_buyer_id: BuyerId, ref: PlaceRef) -> None:
        closed.append(ref)

    with pytest.raises(UnknownPlace):
        await LeaveLine(end=Counter(UnknownPlace()).end, close_place=close_place).leave(ref=a_ref(1), key=None)

    assert closed == []


async def test_a_tick_is_a_turn_of_every_room_and_knows_what_is_free() -> None:
    line = FakeLine()
    rooms = await read(a_room(MAIN_ROOM), a_room(VIP_ROOM))

    reports = await AdmitNext(line=line, rooms=rooms, supply=OnlyMainSells()).admit()

    assert [report.admitted for report in reports] == [2, 2]
    assert [(turn.room.id, turn.seats_free) for turn in line.turns] == [(MAIN_ROOM, True), (VIP_ROOM, False)]
