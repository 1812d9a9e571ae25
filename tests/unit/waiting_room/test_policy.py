import math

import pytest

from stagedoor.kernel.clock import DAY_MS, later
from stagedoor.waiting_room.policy import (
    JITTER,
    POLL_MS_COMFORT,
    POLL_MS_MAX,
    POLL_MS_UNKNOWN,
    away_window_ms,
    entry_window_ms,
    expected_wait_ms,
    most_told_ms,
    phase,
    poll_admitted_ms,
    poll_after_ms,
    poll_before_opening_ms,
    token_expires_at,
)
from tests.builders.line import NOON, a_policy, a_room

BUDGET = 5_000


def poll(position: int, *, waiting: int, wait_ms: float | None = None, number: int = 1, budget: int = BUDGET) -> int:
    return poll_after_ms(position=position, number=number, waiting=waiting, polls_per_second=budget, wait_ms=wait_ms)


def test_the_front_asks_every_second() -> None:
    assert poll(1, waiting=100, wait_ms=0) == 1_000
    assert poll(1, waiting=1_000_000, wait_ms=None) == 1_000


@pytest.mark.parametrize("wait_ms", [4_001, 10_000, 60_000, 600_000, 36_000_000])
def test_nobody_sleeps_through_half_of_her_wait(wait_ms: int) -> None:
    for number in range(1, 200):
        assert poll(100, waiting=1_000, wait_ms=wait_ms, number=number) <= wait_ms / 2


def test_it_grows_with_the_distance() -> None:
    asked = [poll(position, waiting=100_000, wait_ms=position * 20.0) for position in (1, 100, 1_000, 10_000, 100_000)]

    assert asked == sorted(asked)
    assert asked[0] == 1_000
    assert asked[-1] >= 20_000


def test_a_known_wait_is_slept_through_for_half_a_minute_at_most() -> None:
    assert poll(1_000, waiting=1_000, wait_ms=3_600_000) <= POLL_MS_COMFORT


def test_an_unknown_wait_may_be_over_at_any_moment() -> None:
    assert poll(1_000, waiting=1_000) <= POLL_MS_UNKNOWN
    assert poll(50, waiting=1_000) == 1_000


@pytest.mark.parametrize("waiting", [1, 10, 1_000, 50_000, 1_000_000])
@pytest.mark.parametrize("budget", [1, 500, 5_000])
def test_however_long_the_line_its_polls_stay_within_the_budget(waiting: int, budget: int) -> None:
    step = max(1, waiting // 2_000)
    # Far back neighbours differ by nothing worth counting one by one.
    near = range(1, min(waiting, 1_000) + 1)
    far = range(1_000 + step, waiting + 1, step)

    per_second = sum(1_000 / poll(p, waiting=waiting, number=p, wait_ms=0, budget=budget) for p in near)
    per_second += sum(step * 1_000 / poll(p, waiting=waiting, number=p, wait_ms=0, budget=budget) for p in far)

    assert per_second <= budget * 1.001 or waiting > budget * POLL_MS_MAX / 1_000


def test_the_budget_leaves_the_back_of_a_million_without_news_for_eight_minutes_at_most() -> None:
    assert poll(1_000_000, waiting=1_000_000, wait_ms=36_000_000) <= 8 * 60_000


def test_whatever_the_budget_nobody_is_sent_away_for_more_than_an_hour() -> None:
    assert poll(100_000_000, waiting=100_000_000, wait_ms=0, budget=1) <= POLL_MS_MAX


def test_crowds_do_not_keep_step() -> None:
    asked = {poll(10_000, waiting=10_000, wait_ms=3_600_000, number=number) for number in range(1, 1_001)}

    assert len(asked) > 900
    assert min(asked) >= (1 - JITTER) * POLL_MS_COMFORT
    assert max(asked) <= POLL_MS_COMFORT


def test_phases_are_spread_evenly() -> None:
    tenths = [0] * 10
    for number in range(1, 10_001):
        tenths[int(phase(number) * 10)] += 1

    assert max(tenths) - min(tenths) <= 20


def before_opening(opens_in_ms: int, position: int, *, waiting: int, number: int = 1) -> int:
    return poll_before_opening_ms(
        opens_in_ms=opens_in_ms, position=position, number=number, waiting=waiting, polls_per_second=BUDGET
    )


@pytest.mark.parametrize("waiting", [30, 100_000, 1_000_000])
@pytest.mark.parametrize("opens_in_ms", [1, 500, 1_000, 5_000, 60_000, 3_600_000])
def test_the_front_is_awake_within_a_second_of_the_opening(opens_in_ms: int, waiting: int) -> None:
    for position in range(1, 31):
        asleep = before_opening(opens_in_ms, position, waiting=waiting, number=position)
        assert asleep <= max(opens_in_ms + 1_000, 1_000)


def test_long_before_the_opening_half_a_minute_is_enough() -> None:
    assert before_opening(3_600_000, 10, waiting=100) >= (1 - JITTER) * POLL_MS_COMFORT


def test_the_crowd_does_not_ask_in_the_moment_of_the_opening() -> None:
    waiting = 20_000

    asked = [before_opening(1_000, p, waiting=waiting, number=p) - 1_000 for p in range(1, waiting + 1)]

    in_first_second = sum(ms < 1_000 for ms in asked)
    assert in_first_second <= BUDGET * 1.2
    assert min(asked) >= 0


def test_windows_are_three_times_what_she_was_told_where_that_is_longer() -> None:
    policy = a_policy(away_after_ms=180_000, entry_window_ms=30_000)

    assert (away_window_ms(policy, 60_000), away_window_ms(policy, 60_001)) == (180_000, 180_003)
    assert (entry_window_ms(policy, 10_000), entry_window_ms(policy, 10_001)) == (30_000, 30_003)


@pytest.mark.parametrize("position", [1, 100, 10_000, 1_000_000])
def test_what_may_have_been_told_is_never_less_than_what_is_told(position: int) -> None:
    waiting = 1_000_000
    most = most_told_ms(position=position, waiting=waiting, polls_per_second=BUDGET)

    for wait_ms in (None, 0.0, 1e9):
        assert poll(position, waiting=waiting, wait_ms=wait_ms, number=position) <= most


def test_somebody_admitted_asks_often_enough_to_stay() -> None:
    assert poll_admitted_ms(a_policy(idle_timeout_ms=30_000)) == 10_000
    assert poll_admitted_ms(a_policy(idle_timeout_ms=1)) == 1


def test_tokens_outlive_the_room_by_a_day_or_last_a_week() -> None:
    closes_at = later(NOON, 3_600_000)

    assert token_expires_at(a_room(closes_at=closes_at), NOON) == closes_at + DAY_MS
    assert token_expires_at(a_room(), NOON) == NOON + 7 * DAY_MS


def wait(
    position: int, *, active: int = 30, rate: float | None = None, per_second: float | None = None
) -> float | None:
    policy = a_policy(max_active=30, session_max_ms=600_000, rate=rate)
    return expected_wait_ms(position=position, policy=policy, active=active, per_second=per_second, mean_pass_ms=60_000)


def test_the_wait_follows_the_recent_rate() -> None:
    assert wait(100, per_second=5.0) == 20_000


def test_before_there_is_a_rate_the_room_s_limits_tell() -> None:
    assert wait(30) == 60_000
    assert wait(10, active=20) == 0
    assert wait(40, active=20) == 60_000
    assert wait(30, rate=0.1) == 300_000


def test_a_room_that_lets_nobody_in_has_no_wait_that_anybody_could_tell() -> None:
    policy = a_policy(max_active=0)

    assert expected_wait_ms(position=1, policy=policy, active=0, per_second=3.0, mean_pass_ms=None) is None
    assert wait(1, per_second=0.0) is None


def test_until_a_pass_has_ended_they_are_taken_to_last_half_of_the_session() -> None:
    policy = a_policy(max_active=1, session_max_ms=600_000)

    assert math.isclose(
        expected_wait_ms(position=2, policy=policy, active=1, per_second=None, mean_pass_ms=None) or 0, 600_000
    )
