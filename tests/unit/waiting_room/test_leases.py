"""A pass ends by silence, at its session's end, with the last hold, or because nobody took it up."""

from collections.abc import Callable

import pytest

from stagedoor.kernel.clock import Instant
from stagedoor.waiting_room.changes import Entry
from stagedoor.waiting_room.model import EndCause, PlaceState
from tests.builders.line import PaperLine, a_room

IDLE_MS = 30_000
SESSION_MS = 600_000
ENTRY_MS = 30_000


@pytest.fixture
def line() -> PaperLine:
    line = PaperLine(a_room(max_active=1, idle_timeout_ms=IDLE_MS, session_max_ms=SESSION_MS, entry_window_ms=ENTRY_MS))
    line.join(7)
    line.admitted()
    return line


def causes(line: PaperLine, after_ms: int) -> list[EndCause]:
    return [ending.cause for ending in line.turn(after_ms).ended]


def test_silence_ends_it_after_the_idle_timeout_and_not_before(line: PaperLine) -> None:
    line.look(1)

    assert causes(line, IDLE_MS - 1) == []
    assert causes(line, 1) == [EndCause.IDLE]
    assert line.state_of(1) is PlaceState.EXPIRED


def test_every_sign_begins_the_idle_timeout_anew(line: PaperLine) -> None:
    line.look(1)
    line.advance(IDLE_MS - 1)
    line.look(1)

    assert causes(line, IDLE_MS - 1) == []
    assert causes(line, 1) == [EndCause.IDLE]


def test_a_sign_before_the_turn_has_ended_it_still_keeps_it(line: PaperLine) -> None:
    line.look(1)
    line.advance(IDLE_MS + 100)
    line.look(1)

    assert causes(line, 0) == []


def test_a_sign_that_comes_late_takes_back_no_later_one(line: PaperLine) -> None:
    joined_again_at = line.clock.now()
    line.advance(IDLE_MS - 1)
    line.look(1)

    # Her join was in a batch whose commit took that long.
    assert line.line.notice(1, joined_again_at)

    assert causes(line, IDLE_MS - 1) == []
    assert causes(line, 1) == [EndCause.IDLE]


def noticed(line: PaperLine, at: Instant) -> None:
    line.line.notice(1, at)


def heard(line: PaperLine, at: Instant) -> None:
    line.line.hear(1, line.room, at, 1_000)


@pytest.mark.parametrize("take", [noticed, heard])
def test_a_late_sign_takes_up_a_pass_at_the_last_one_that_is_known(take: Callable[[PaperLine, Instant], None]) -> None:
    line = PaperLine(a_room(max_active=1))
    line.join(7)
    joined_at = line.clock.now()
    line.advance(10_000)
    line.look(1)
    last_seen_at = line.clock.now()
    assert line.admitted(1_000) == [1]

    take(line, joined_at)

    assert line.turn().entered == (Entry(1, last_seen_at),)


def test_the_session_ends_it_in_any_case(line: PaperLine) -> None:
    line.stay(1, for_ms=SESSION_MS - 1)

    assert line.state_of(1) is PlaceState.ADMITTED
    assert causes(line, 1) == [EndCause.SESSION_OVER]


def test_somebody_who_holds_seats_may_be_silent(line: PaperLine) -> None:
    line.look(1)
    line.note_hold(1, hold=5, for_ms=300_000)

    assert causes(line, 299_999) == []
    assert causes(line, 1) == [EndCause.IDLE]


def test_a_hold_let_go_brings_the_idle_timeout_back(line: PaperLine) -> None:
    line.look(1)
    line.note_hold(1, hold=5, for_ms=300_000)
    line.advance(100_000)
    line.look(1)
    line.note_hold(1, hold=5, for_ms=None)

    assert causes(line, IDLE_MS - 1) == []
    assert causes(line, 1) == [EndCause.IDLE]


def test_the_session_goes_on_until_the_last_hold_ends(line: PaperLine) -> None:
    line.stay(1, for_ms=SESSION_MS - 60_000)
    line.note_hold(1, hold=5, for_ms=100_000)
    line.note_hold(1, hold=6, for_ms=300_000)
    line.note_hold(1, hold=5, for_ms=None)

    line.stay(1, for_ms=299_999)
    assert line.show(1).holds_until == line.clock.now() + 1
    assert causes(line, 1) == [EndCause.SESSION_OVER]


def test_a_hold_of_before_the_session_s_end_does_not_prolong_it(line: PaperLine) -> None:
    line.stay(1, for_ms=SESSION_MS - 60_000)
    line.note_hold(1, hold=5, for_ms=59_999)

    line.stay(1, for_ms=59_999)
    assert causes(line, 1) == [EndCause.SESSION_OVER]


def test_a_deadline_moved_later_is_noted(line: PaperLine) -> None:
    line.look(1)
    line.note_hold(1, hold=5, for_ms=100_000)
    line.note_hold(1, hold=5, for_ms=200_000)

    assert causes(line, 199_999) == []


def test_a_note_for_somebody_who_is_not_inside_is_ignored(line: PaperLine) -> None:
    line.join(8)
    line.note_hold(2, hold=5, for_ms=1_000)
    line.note_hold(99, hold=5, for_ms=1_000)

    assert line.state_of(2) is PlaceState.WAITING


def test_an_entry_not_taken_up_makes_a_returner_who_keeps_her_number(line: PaperLine) -> None:
    assert line.turn(ENTRY_MS - 1).not_taken == ()
    assert line.turn(1).not_taken == (1,)
    assert line.state_of(1) is PlaceState.PASSED_OVER

    line.look(1)
    assert line.admitted() == [1]


def test_whoever_took_it_up_in_the_last_moment_has_the_idle_timeout(line: PaperLine) -> None:
    line.advance(ENTRY_MS - 1)
    line.look(1)

    assert line.turn(IDLE_MS - 1).not_taken == ()
    assert causes(line, 1) == [EndCause.IDLE]


@pytest.mark.parametrize(("told_ms", "window_ms"), [(10_000, 30_000), (10_001, 30_003), (60_000, 180_000)])
def test_the_entry_window_is_three_times_what_she_was_told(told_ms: int, window_ms: int) -> None:
    line = PaperLine(a_room(max_active=1, entry_window_ms=30_000))
    line.join(7)
    line.state.columns.told_ms[0] = told_ms
    line.admitted()

    assert line.show(1).idle_ends_at == line.clock.now() + window_ms
    assert line.turn(window_ms - 1).not_taken == ()
    assert line.turn(1).not_taken == (1,)


def test_the_first_sign_is_journaled_with_the_next_turn_and_once(line: PaperLine) -> None:
    line.advance(100)
    line.look(1)
    entered_at = line.clock.now()
    line.advance(100)
    line.look(1)

    assert line.turn().entered == (Entry(1, entered_at),)
    assert line.turn().entered == ()


def test_a_slot_freed_in_a_turn_is_given_away_in_it(line: PaperLine) -> None:
    line.join(8)
    line.look(1)
    line.advance(IDLE_MS)
    line.look(2)

    change = line.turn()

    assert [ending.number for ending in change.ended] == [1]
    assert [admission.number for admission in change.admitted] == [2]


def test_what_she_is_told_of_it(line: PaperLine) -> None:
    now = line.clock.now()

    view = line.look(1)

    assert view.state is PlaceState.ADMITTED
    assert view.position == 0
    assert view.admitted_at == now
    assert view.session_ends_at == now + SESSION_MS
    assert view.idle_ends_at == now + IDLE_MS
    assert view.holds_until is None
    assert view.poll_after_ms <= IDLE_MS / 3


def test_the_idle_timeout_is_changed_live_and_the_session_is_not(line: PaperLine) -> None:
    line.look(1)
    line.change_room(idle_timeout_ms=5_000, session_max_ms=1_000)

    assert causes(line, 4_999) == []
    assert causes(line, 1) == [EndCause.IDLE]
