"""The line goes by the clock that judges deadlines, and by what was done in the log where that is a little later."""

from stagedoor.adapters.redis.line_clock import APART_MS, LineClock
from stagedoor.kernel.clock import MINUTE_MS, Instant, ManualClock, later

NOON = Instant(1_800_000_000_000)


def test_it_is_what_time_it_is() -> None:
    clock = ManualClock(NOON)
    line_clock = LineClock(clock, own=clock)

    clock.advance(MINUTE_MS)

    assert line_clock.now() == NOON + MINUTE_MS


def test_what_others_have_done_is_never_later_than_now() -> None:
    clock = ManualClock(NOON)
    line_clock = LineClock(clock, own=clock)

    line_clock.heard(later(NOON, APART_MS))

    assert line_clock.now() == NOON + APART_MS
    clock.advance(APART_MS + 1)
    assert line_clock.now() == NOON + APART_MS + 1


def test_what_was_done_long_ago_changes_nothing() -> None:
    clock = ManualClock(NOON)
    line_clock = LineClock(clock, own=clock)

    line_clock.heard(later(NOON, -MINUTE_MS))

    assert line_clock.now() == NOON


def test_it_does_not_follow_a_clock_that_was_wrong() -> None:
    clock = ManualClock(NOON)
    line_clock = LineClock(clock, own=clock)

    line_clock.heard(later(NOON, APART_MS + 1))

    assert line_clock.now() == NOON
