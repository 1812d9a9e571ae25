"""Who enters, in which order, and how many."""

import pytest

from stagedoor.kernel.clock import later
from stagedoor.waiting_room import turning
from stagedoor.waiting_room.model import EndCause, PlaceState
from stagedoor.waiting_room.room import RoomState
from tests.builders.line import NOON, PaperLine, a_room

AWAY_MS = 180_000


def test_they_enter_by_number_whoever_polls_first() -> None:
    line = PaperLine(a_room(max_active=2))
    line.join(7, 8, 9, 10)
    for number in (4, 3, 2, 1):
        line.look(number)

    assert line.admitted() == [1, 2]
    line.end(1)
    line.end(2)
    assert line.admitted() == [3, 4]


def test_at_most_max_active_are_inside() -> None:
    line = PaperLine(a_room(max_active=3))
    line.join(*range(1, 11))

    assert len(line.admitted()) == 3
    assert line.admitted(after_ms=250) == []
    assert line.line.view().active == 3


def test_lowering_max_active_throws_nobody_out() -> None:
    line = PaperLine(a_room(max_active=3))
    line.join(*range(1, 11))
    line.admitted()

    line.change_room(max_active=1)
    line.end(1)
    assert line.admitted() == []
    line.end(2)
    assert line.admitted() == []
    line.end(3)
    assert line.admitted() == [4]


def test_raising_max_active_lets_more_in_at_once() -> None:
    line = PaperLine(a_room(max_active=1))
    line.join(*range(1, 11))
    line.admitted()

    line.change_room(max_active=4)

    assert line.admitted() == [2, 3, 4]


def test_a_rate_spreads_them() -> None:
    line = PaperLine(a_room(max_active=100, rate=10.0))
    line.join(*range(1, 101))

    counts = [len(line.admitted(after_ms=250)) for _ in range(9)]

    assert counts[0] == 3
    assert sum(counts) == 3 + 20


def test_nobody_enters_a_millisecond_before_the_opening() -> None:
    line = PaperLine(a_room(opens_at=later(NOON, 1_000)))
    line.join(7)

    assert line.admitted(after_ms=999) == []
    assert line.admitted(after_ms=1) == [1]


@pytest.mark.parametrize("state", [RoomState.PAUSED, RoomState.CLOSED])
def test_nobody_enters_a_room_that_is_not_open(state: RoomState) -> None:
    line = PaperLine(a_room())
    line.join(7)
    line.set_state(state)

    assert line.admitted() == []


def test_nobody_enters_while_nothing_is_free_and_the_next_one_when_something_is() -> None:
    line = PaperLine(a_room())
    line.join(7)
    line.seats_free = False
    assert line.admitted() == []

    line.seats_free = True

    assert line.admitted() == [1]


def test_places_that_ended_are_skipped() -> None:
    line = PaperLine(a_room(max_active=2))
    line.join(7, 8, 9, 10)
    line.end(1)
    line.end(3)

    assert line.admitted() == [2, 4]


def test_whoever_is_away_when_her_turn_comes_is_passed_over_and_keeps_her_number() -> None:
    line = PaperLine(a_room(max_active=1, away_after_ms=AWAY_MS))
    line.join(7, 8)
    line.advance(AWAY_MS)
    line.look(2)

    change = line.turn()

    assert change.passed_over == (1,)
    assert [admission.number for admission in change.admitted] == [2]
    assert line.state_of(1) is PlaceState.PASSED_OVER
    assert line.join(7) == [1]


def test_a_millisecond_less_and_she_is_present() -> None:
    line = PaperLine(a_room(max_active=1, away_after_ms=AWAY_MS))
    line.join(7)

    assert line.admitted(after_ms=AWAY_MS - 1) == [1]


@pytest.mark.parametrize(("told_ms", "window_ms"), [(60_000, 180_000), (100_000, 300_000)])
def test_she_is_away_after_three_times_what_she_was_told_if_that_is_longer(told_ms: int, window_ms: int) -> None:
    line = PaperLine(a_room(max_active=1, away_after_ms=AWAY_MS, state=RoomState.PAUSED))
    line.join(7)
    line.state.columns.told_ms[0] = told_ms
    line.set_state(RoomState.OPEN)

    line.advance(window_ms - 1)
    assert [admission.number for admission in line.plan().admitted] == [1]
    line.advance(1)
    assert line.plan().passed_over == (1,)


def test_nobody_is_passed_over_while_nobody_may_enter() -> None:
    line = PaperLine(a_room(max_active=0, away_after_ms=AWAY_MS))
    line.join(7)

    assert line.turn(after_ms=10 * AWAY_MS).passed_over == ()
    assert line.state_of(1) is PlaceState.WAITING


def test_who_was_marked_away_but_is_back_for_her_turn_enters_in_order() -> None:
    line = PaperLine(a_room(max_active=0, away_after_ms=AWAY_MS))
    line.join(7, 8)
    assert line.turn(after_ms=AWAY_MS).away == (1, 2)
    line.look(2)
    line.look(1)
    line.change_room(max_active=1)

    assert line.admitted() == [1]


def passed_over(*numbers: int) -> PaperLine:
    """Return a line of ten with nobody inside, in which *numbers* were passed over and the rest is present."""
    line = PaperLine(a_room(max_active=1, away_after_ms=AWAY_MS, state=RoomState.PAUSED))
    line.join(*range(1, 11))
    line.advance(AWAY_MS)
    for number in set(range(1, 11)) - set(numbers):
        line.look(number)
    line.set_state(RoomState.OPEN)
    change = line.turn()
    assert change.passed_over == numbers
    line.end(change.admitted[0].number)
    return line


def test_returners_enter_next_before_the_line_in_order_of_number() -> None:
    line = passed_over(1, 2, 3)
    for number in (3, 1):
        line.look(number)

    assert line.admitted() == [1]
    line.end(1)
    line.look(2)
    assert line.admitted() == [2]
    line.end(2)
    assert line.admitted() == [3]
    line.end(3)
    assert line.admitted() == [5]


def test_their_admissions_say_so() -> None:
    line = passed_over(1)
    line.look(1)

    assert [admission.returner for admission in line.turn().admitted] == [True]


def test_who_was_passed_over_and_is_not_back_enters_not() -> None:
    line = passed_over(1, 2)

    assert line.admitted() == [4]


def test_a_returner_who_is_away_again_has_to_come_back_again() -> None:
    line = passed_over(1, 2)
    line.look(1)
    line.advance(AWAY_MS)
    for number in (4, 5):
        line.look(number)

    change = line.turn()
    assert (change.strayed, [admission.number for admission in change.admitted]) == ((1,), [4])
    line.end(4)
    assert line.admitted() == [5]
    line.end(5)
    line.look(1)
    assert line.admitted() == [1]


def test_asking_for_a_place_again_brings_her_back_too() -> None:
    line = passed_over(1)

    assert line.join(1) == [1]
    line.look(1)
    assert line.admitted() == [1]


def test_a_very_long_row_of_the_absent_is_passed_over_in_several_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turning, "STEPS_MAX", 100)
    line = PaperLine(a_room(max_active=1, away_after_ms=AWAY_MS))
    absent = 110
    line.set_state(RoomState.PAUSED)
    line.join(*range(1, absent + 2))
    line.advance(AWAY_MS)
    line.look(absent + 1)
    line.set_state(RoomState.OPEN)

    first, second = line.turn(), line.turn(250)

    assert len(first.passed_over) == 100
    assert len(second.passed_over) == 10
    assert [admission.number for admission in second.admitted] == [absent + 1]


def test_the_serving_number_is_how_far_admission_has_come() -> None:
    line = passed_over(1, 2)

    assert line.line.view().serving_number == 3
    line.look(1)
    line.admitted()
    assert line.line.view().serving_number == 3


def test_when_the_room_closes_what_waits_is_over_and_who_is_inside_stays() -> None:
    line = passed_over(1, 2)
    line.admitted()
    line.set_state(RoomState.CLOSED)

    change = line.turn()

    assert {ending.number for ending in change.ended} == {1, 2, *range(5, 11)}
    assert {ending.cause for ending in change.ended} == {EndCause.ROOM_CLOSED}
    assert line.state_of(4) is PlaceState.ADMITTED
    assert line.state_of(1) is PlaceState.EXPIRED


def test_a_pass_nobody_took_up_ends_in_a_room_that_has_closed() -> None:
    line = PaperLine(a_room(max_active=1, entry_window_ms=30_000))
    line.join(7)
    line.admitted()
    line.set_state(RoomState.CLOSED)

    change = line.turn(after_ms=30_000)

    assert [(ending.number, ending.cause, ending.had_pass) for ending in change.ended] == [
        (1, EndCause.ROOM_CLOSED, True)
    ]
    assert line.state_of(1) is PlaceState.EXPIRED


def test_a_closed_room_that_is_opened_again_goes_on_with_higher_numbers() -> None:
    line = passed_over(1)
    line.set_state(RoomState.CLOSED)
    line.turn()
    line.set_state(RoomState.OPEN)

    assert line.join(1) == [11]
    assert line.admitted() == [11]


def test_a_place_whose_token_has_expired_makes_way_for_a_new_one() -> None:
    line = PaperLine(a_room(max_active=0))
    line.join(7)
    expires_at = line.show(1).token_expires_at

    line.turn(expires_at - line.clock.now() - 1)
    assert line.state_of(1) is PlaceState.WAITING
    change = line.turn(1)

    assert [ending.cause for ending in change.ended] == [EndCause.TOKEN_EXPIRED]
    assert line.join(7) == [2]


def test_planning_a_turn_changes_nothing() -> None:
    line = PaperLine(a_room(max_active=1))
    line.join(7, 8)

    first, second = line.plan(), line.plan()

    assert first == second
    assert line.line.view().active == 0
    assert line.state_of(1) is PlaceState.WAITING
