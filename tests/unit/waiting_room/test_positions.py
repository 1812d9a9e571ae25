"""1 + the places ahead that count; it never rises, and it leaves out ghosts."""

import random

import pytest

from stagedoor.kernel.clock import later
from stagedoor.waiting_room.model import PlaceState
from stagedoor.waiting_room.room import RoomState
from tests.builders.line import NOON, PaperLine, a_room

AWAY_MS = 180_000


@pytest.fixture
def line() -> PaperLine:
    line = PaperLine(a_room(max_active=0, away_after_ms=AWAY_MS))
    line.join(*range(101, 111))
    return line


def positions(line: PaperLine, *numbers: int) -> list[int]:
    return [line.show(number).position for number in numbers]


def test_at_first_it_is_the_number(line: PaperLine) -> None:
    assert positions(line, 1, 2, 10) == [1, 2, 10]


def test_who_leaves_stops_counting(line: PaperLine) -> None:
    line.end(3)

    assert positions(line, 2, 3, 4, 10) == [2, 0, 3, 9]


def test_who_is_admitted_stops_counting(line: PaperLine) -> None:
    line.change_room(max_active=4)
    line.admitted()

    assert positions(line, 4, 5, 10) == [0, 1, 6]


def test_who_was_once_away_stops_counting_for_good_but_keeps_her_place(line: PaperLine) -> None:
    line.advance(AWAY_MS)
    for number in range(3, 11):
        line.look(number)

    assert line.turn().away == (1, 2)
    assert positions(line, 1, 2, 3, 10) == [1, 1, 1, 8]
    line.look(1)
    line.turn(250)
    assert positions(line, 1, 2, 3, 10) == [1, 1, 1, 8]
    assert line.line.view().waiting == 8


def test_a_millisecond_less_and_she_counts(line: PaperLine) -> None:
    assert line.turn(AWAY_MS - 1).away == ()
    assert line.turn(1).away == tuple(range(1, 11))


def test_a_sign_in_time_keeps_her_counting(line: PaperLine) -> None:
    line.turn(AWAY_MS - 1)
    line.look(1)

    assert line.turn(1).away == tuple(range(2, 11))
    assert line.turn(AWAY_MS - 2).away == ()
    assert line.turn(1).away == (1,)


def test_silence_that_was_allowed_when_told_is_no_absence(line: PaperLine) -> None:
    line.look(5)
    line.state.columns.told_ms[4] = 100_000

    assert 5 not in line.turn(AWAY_MS).away
    assert 5 not in line.turn(300_000 - AWAY_MS - 1).away
    assert line.turn(1).away == (5,)


def test_told_a_shorter_interval_she_is_missed_sooner(line: PaperLine) -> None:
    line.state.columns.told_ms[4] = 600_000
    line.turn()
    line.turn(AWAY_MS)
    line.look(5, telling=True)

    assert line.show(5).poll_after_ms <= 60_000
    assert line.turn(AWAY_MS - 1).away == ()
    assert line.turn(1).away == (5,)


def test_who_is_passed_over_stops_counting_and_a_returner_is_always_first(line: PaperLine) -> None:
    line.advance(AWAY_MS)
    for number in range(4, 11):
        line.look(number)
    line.change_room(max_active=1)
    line.turn()
    assert line.state_of(1) is PlaceState.PASSED_OVER

    for number in (3, 2, 1):
        line.look(number)

    assert positions(line, 1, 2, 3, 5, 10) == [1, 1, 1, 1, 6]


def test_it_never_rises_for_anybody_who_is_present() -> None:
    chance = random.Random(23)
    line = PaperLine(a_room(max_active=5, away_after_ms=5_000, idle_timeout_ms=3_000, entry_window_ms=3_000))
    told: dict[int, int] = {}
    seen: dict[int, int] = {}
    buyer = 0
    for _ in range(300):
        line.advance(250)
        for _ in range(chance.randrange(3)):
            buyer += 1
            [number] = line.join(buyer)
            told[number], seen[number] = line.look(number, telling=True).position, line.clock.now()
        for number in chance.sample(sorted(told), k=min(len(told), 30)):
            view = line.look(number, telling=True)
            if not view.state.is_live:
                del told[number]
                continue
            was_absent = line.clock.now() - seen[number] >= 5_000
            assert view.position <= told[number] or (was_absent and view.position == 1)
            told[number], seen[number] = view.position, line.clock.now()
            if chance.random() < 0.05:
                line.end(number)
        line.turn()


def test_waiting_counts_who_counts(line: PaperLine) -> None:
    line.end(3)
    line.change_room(max_active=2)
    line.admitted()

    view = line.line.view()

    assert (view.waiting, view.active, view.serving_number, view.last_number) == (7, 2, 2, 10)


def test_before_the_opening_the_wait_counts_from_the_opening() -> None:
    line = PaperLine(a_room(max_active=2, opens_at=later(NOON, 60_000), session_max_ms=600_000))
    line.join(7, 8, 9)

    assert line.look(1).estimated_wait_ms == 60_000
    assert line.look(3).estimated_wait_ms == 60_000 + 150_000


@pytest.mark.parametrize("state", [RoomState.PAUSED, RoomState.CLOSED])
def test_in_a_room_that_is_not_open_nobody_can_say_how_long_it_will_be(line: PaperLine, state: RoomState) -> None:
    line.set_state(state)

    assert line.look(1).estimated_wait_ms is None


def test_when_nothing_is_free_nobody_can_say_how_long_it_will_be(line: PaperLine) -> None:
    line.change_room(max_active=1)
    line.seats_free = False
    line.turn()

    assert line.look(2).estimated_wait_ms is None


def test_the_wait_follows_the_pace_of_the_line() -> None:
    line = PaperLine(a_room(max_active=1))
    line.join(*range(1, 61))
    line.turn()
    for number in range(1, 30):
        line.stay(*range(number, 61), for_ms=1_000)
        line.end(number)
        line.turn()

    view = line.show(50)

    assert line.line.view().admitted_per_second == pytest.approx(1.0, rel=0.1)
    assert view.estimated_wait_ms == pytest.approx(view.position * 1_000, rel=0.1)
