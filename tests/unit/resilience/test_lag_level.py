"""The level to which a late loop puts calls off: up through the priorities, and down again."""

from collections import Counter

import pytest

from stagedoor.resilience.lag_level import PART_MAX, RISE, TOP, LagLevel
from stagedoor.resilience.priority import Priority

TARGET_S = 0.25


def a_level(*lags_s: float) -> LagLevel:
    level = LagLevel(target_s=TARGET_S)
    for lag_s in lags_s:
        level.observe(lag_s)
    return level


def shed_of_a_hundred(level: LagLevel, priority: Priority) -> int:
    return sum(level.sheds(priority) for _ in range(100))


def test_a_loop_in_time_puts_nobody_off() -> None:
    level = a_level(*[TARGET_S] * 1_000)

    assert level.level == 0
    assert not any(shed_of_a_hundred(level, priority) for priority in Priority)


def test_one_late_look_is_a_hiccup() -> None:
    assert a_level(0.0, 60.0, 0.0, 60.0, 0.0).level == 0


def test_the_second_late_look_in_a_row_begins_with_the_least_important() -> None:
    level = a_level(1.0, 1.0)

    assert level.level == RISE
    assert shed_of_a_hundred(level, Priority.JOIN) == 25
    assert shed_of_a_hundred(level, Priority.POLL) == 0


def test_within_a_priority_calls_are_put_off_evenly() -> None:
    level = a_level(*[1.0] * 3)

    assert [level.sheds(Priority.JOIN) for _ in range(6)] == [False, True] * 3


def test_while_it_lags_the_level_rises_to_the_payments_and_not_beyond() -> None:
    level = a_level(*[1.0] * 1_000)

    assert level.level == TOP
    assert {priority: shed_of_a_hundred(level, priority) for priority in Priority} == {
        **{priority: 100 for priority in Priority if priority < Priority.PAY},
        Priority.POLL: 87,
        Priority.PAY: 0,
        Priority.HEALTH: 0,
    }


def test_of_those_who_poll_some_are_always_heard() -> None:
    level = a_level(*[1.0] * 1_000)
    runs, row = Counter[int](), 0
    for _ in range(1_000):
        row = row + 1 if level.sheds(Priority.POLL) else 0
        runs[row] += 1

    # Who is put off comes back within 3 s; in the 180 s after which she would count as absent she is heard seven times.
    assert max(runs) <= 8
    assert PART_MAX[Priority.POLL] < 1


@pytest.mark.parametrize("looks", [1, 10, 100])
def test_once_it_is_in_time_again_everybody_is_let_in_before_long(looks: int) -> None:
    level = a_level(*[1.0] * looks, *[0.0] * 150)

    assert level.level == 0


def test_it_settles_where_just_enough_is_put_off() -> None:
    """A loop that has a third too much to do, all of it polls: the lag follows from what is let through."""
    level, backlog_s, shed = LagLevel(target_s=TARGET_S), 0.0, 0
    for nth in range(4_000):
        came = 200
        let_in = sum(not level.sheds(Priority.POLL) for _ in range(came))
        shed += (came - let_in) if nth >= 2_000 else 0
        backlog_s = max(0.0, backlog_s + let_in / 3_000 - 0.05)
        level.observe(backlog_s)

    assert 0.2 < shed / (2_000 * 200) < 0.35
    assert backlog_s < 2.0
