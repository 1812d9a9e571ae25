"""Turns: order, slots, rate, leases, returners, openings; and checkers that find the mutants out."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from stagedoor.kernel.clock import later
from stagedoor.kernel.ids import PlaceRef, RoomId
from stagedoor.waiting_room import turning
from stagedoor.waiting_room.line import Line
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.model import PlaceState, PlaceView
from stagedoor.waiting_room.room import Room, RoomState
from stagedoor.waiting_room.turning import TurnPlan
from tests.builders.line import NOON, TICK_MS, a_room
from tests.contract.line_record import out_of_order, overlaps, too_fast, unfair
from tests.contract.line_stage import Stage

OTHER_ROOM = RoomId("vip")
CROWD = 40


@pytest.fixture
def stage(new_stage: Stage) -> Stage:
    new_stage.rooms.set(a_room(max_active=2))
    return new_stage


async def evening(stage: Stage, *, max_active: int = 3, rate: float | None = None, crash_at: int | None = None) -> None:
    """Let a crowd join, poll from the back, go in and leave again, until the line is empty."""
    stage.rooms.set(a_room(max_active=max_active, rate=rate))
    waiting = set(await stage.join(*range(1, CROWD + 1)))
    tick = 0
    while waiting:
        tick += 1
        for number in sorted(waiting, reverse=True):
            place = await stage.look(number)
            if place.state is PlaceState.ADMITTED and (number + tick) % 3 == 0:
                await stage.end(number)
                waiting.discard(number)
        if tick == crash_at:
            await stage.crash(outage_ms=TICK_MS)
        await stage.turn(TICK_MS)


@pytest.mark.parametrize("rate", [None, 6.0])
@pytest.mark.parametrize("crash_at", [None, 3, 7])
async def test_an_evening_is_fair(stage: Stage, rate: float | None, crash_at: int | None) -> None:
    await evening(stage, rate=rate, crash_at=crash_at)

    passes = await stage.passes()
    assert len(passes) == CROWD
    assert unfair(passes, rate=rate) == []


async def test_a_report_says_what_the_turn_did(stage: Stage) -> None:
    stage.rooms.set(a_room(OTHER_ROOM, max_active=2))
    await stage.join(7, 8, 9)
    await stage.join(7, room_id=OTHER_ROOM)

    reports = await stage.turn()

    assert {report.room_id: report.admitted for report in reports} == {stage.room().id: 2, OTHER_ROOM: 1}


async def test_nobody_enters_a_millisecond_before_the_opening(stage: Stage) -> None:
    stage.rooms.set(a_room(opens_at=later(NOON, 1_000)))
    await stage.join(7)

    [early] = await stage.turn(999)
    [open_] = await stage.turn(1)

    assert (early.admitted, open_.admitted) == (0, 1)


@pytest.mark.parametrize("state", [RoomState.PAUSED, RoomState.CLOSED])
async def test_nobody_enters_a_room_that_is_not_open(stage: Stage, state: RoomState) -> None:
    await stage.join(7)
    stage.rooms.set(replace(stage.room(), state=state))

    [report] = await stage.turn()

    assert report.admitted == 0


async def test_nobody_enters_while_nothing_is_free(stage: Stage) -> None:
    await stage.join(7)
    stage.seats_free = False
    assert (await stage.turn())[0].admitted == 0

    stage.seats_free = True

    assert (await stage.turn())[0].admitted == 1


async def test_a_room_that_closes_ends_what_waits_in_it(stage: Stage) -> None:
    await stage.join(7, 8, 9)
    await stage.turn()
    stage.rooms.set(replace(stage.room(), closes_at=stage.clock.now()))

    [report] = await stage.turn()

    assert report.ended == 1
    assert await stage.states(1, 2, 3) == [PlaceState.ADMITTED, PlaceState.ADMITTED, PlaceState.EXPIRED]


async def test_the_silent_lose_their_slots_and_keep_the_record_straight(stage: Stage) -> None:
    await stage.join(7, 8, 9)
    await stage.turn()
    await stage.look(1)
    await stage.look(2)

    [report] = await stage.turn(after_ms=30_000)

    assert (report.ended, report.admitted) == (2, 1)
    assert await stage.states(1, 2, 3) == [PlaceState.EXPIRED, PlaceState.EXPIRED, PlaceState.ADMITTED]
    assert unfair(await stage.passes()) == []


async def test_held_seats_keep_a_slot(stage: Stage) -> None:
    await stage.join(7)
    await stage.turn()
    await stage.look(1)
    await stage.note_hold(1, hold=5, for_ms=300_000)
    await stage.note_hold(1, hold=5, for_ms=300_000)

    assert (await stage.turn(299_999))[0].ended == 0
    assert (await stage.turn(1))[0].ended == 1


async def test_a_hold_no_longer_held_keeps_no_slot(stage: Stage) -> None:
    await stage.join(7)
    await stage.turn()
    await stage.look(1)
    await stage.note_hold(1, hold=5, for_ms=300_000)
    await stage.note_hold(1, hold=5, for_ms=None)
    await stage.note_hold(99, hold=5, for_ms=1)

    assert (await stage.turn(30_000))[0].ended == 1


async def test_the_absent_are_passed_over_and_enter_next_when_they_are_back(stage: Stage) -> None:
    stage.rooms.set(a_room(max_active=1, state=RoomState.PAUSED))
    await stage.join(7, 8, 9, 10)
    stage.clock.advance(180_000)
    await stage.look(3)
    await stage.look(4)
    stage.rooms.set(a_room(max_active=1))

    [report] = await stage.turn()
    assert (report.passed_over, report.admitted) == (2, 1)
    await stage.look(2)
    await stage.look(1)
    for number in (3, 1, 2):
        await stage.end(number)
        await stage.turn()

    passes = await stage.passes()
    assert [(p.number, p.returner) for p in passes] == [(3, False), (1, True), (2, True), (4, False)]
    assert unfair(passes) == []


async def test_an_entry_not_taken_up_makes_a_returner(stage: Stage) -> None:
    stage.rooms.set(a_room(max_active=1))
    await stage.join(7)
    await stage.turn()

    [report] = await stage.turn(30_000)
    assert report.passed_over == 1
    await stage.look(1)
    await stage.turn()

    assert [(p.number, p.returner, p.ended_at) for p in await stage.passes()] == [
        (1, False, NOON + 30_000),
        (1, True, None),
    ]


async def test_the_first_sign_of_somebody_admitted_is_recorded(stage: Stage) -> None:
    await stage.join(7)
    await stage.turn()
    stage.clock.advance(500)
    await stage.look(1)
    await stage.turn(TICK_MS)

    [admitted] = await stage.passes()

    assert admitted.entered_at == NOON + 500


async def test_a_turn_in_which_nothing_happens_writes_nothing(stage: Stage) -> None:
    await stage.join(7, 8, 9)
    await stage.turn()
    written = stage.commits

    await stage.turn(TICK_MS)

    assert stage.commits == written


class LastSeenFirst(TurnPlan):
    """Admits by the time of the last sign instead of the number."""

    def candidates(self) -> Iterator[tuple[int, bool]]:
        by_time = sorted(super().candidates(), key=lambda one: self.state.columns.seen_at[one[0] - 1])
        return iter(by_time[::-1])


class EndsCountTwice(TurnPlan):
    """Takes every pass that ends for two free slots."""

    def running(self) -> int:
        return super().running() - sum(ending.had_pass for ending in self.ended.values()) - len(self.not_taken)


class NoRate(TurnPlan):
    """Knows no rate."""

    def admit(self) -> None:
        self.state.rate.settle(None, self.now)
        super().admit()


async def test_control_order_by_timestamp_is_found_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turning, "TurnPlan", LastSeenFirst)
    await stage.join(*range(1, CROWD + 1))
    for number in range(1, CROWD + 1):
        stage.clock.advance(1)
        await stage.look(number)

    await stage.turn()

    assert out_of_order(await stage.passes()) != []


async def test_control_slots_counted_twice_are_found_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turning, "TurnPlan", EndsCountTwice)
    await stage.join(*range(1, CROWD + 1))

    for _ in range(3):
        await stage.turn(30_000)

    assert overlaps(await stage.passes()) != []


async def test_control_a_rate_ignored_is_found_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turning, "TurnPlan", NoRate)

    await evening(stage, rate=6.0, max_active=CROWD)

    assert too_fast(await stage.passes(), 6.0) != []


async def test_control_admission_on_poll_is_found_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    polled: list[int] = []
    looks = Line.look

    def look(line: Line, ref: PlaceRef, room: Room, now: int, *, telling: bool) -> PlaceView | None:
        polled.append(ref.number)
        return looks(line, ref, room, now, telling=telling)  # type: ignore[arg-type]  # passed through

    def whoever_polled(plan: TurnPlan) -> Iterator[tuple[int, bool]]:
        state: LineState = plan.state
        return ((n, False) for n in polled if state.columns.states[n - 1] == PlaceState.WAITING)

    monkeypatch.setattr(Line, "look", look)
    monkeypatch.setattr(TurnPlan, "candidates", whoever_polled)
    await stage.join(*range(1, CROWD + 1))
    polled.clear()
    for number in range(CROWD, 0, -1):
        await stage.look(number)

    await stage.turn()

    assert out_of_order(await stage.passes()) != []
