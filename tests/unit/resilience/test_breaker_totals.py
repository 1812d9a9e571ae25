import pytest

from stagedoor.resilience.breaker import State
from stagedoor.resilience.breaker.totals import MINUTE_NS, Tally
from stagedoor.resilience.breaker.windows import SECOND_NS
from tests.unit.resilience.breakers import FAST_NS, SLOW_NS, Bench, DatabaseGone, SoldOut, an_open_breaker


def longest_at(*minutes: int) -> list[int]:
    """Return the longest call as of each of these minutes, after one of 9 ns in the first minute."""
    now_ns = 0
    tally = Tally(lambda: now_ns)
    tally.add(9)
    seen = []
    for minute in minutes:
        now_ns = minute * MINUTE_NS
        seen.append(tally.longest_ns())
    return seen


def test_the_longest_call_is_forgotten_after_the_next_minute() -> None:
    assert longest_at(0, 1, 2) == [9, 9, 0]


def test_the_longest_call_of_a_quiet_time_ago_is_forgotten() -> None:
    assert longest_at(5) == [0]


def test_minutes_are_those_of_the_clock_and_not_of_the_first_call() -> None:
    now_ns = MINUTE_NS - SECOND_NS
    tally = Tally(lambda: now_ns)
    tally.add(9)
    now_ns = MINUTE_NS + SECOND_NS
    tally.add(3)
    before = tally.longest_ns()

    now_ns = 2 * MINUTE_NS

    assert (before, tally.longest_ns()) == (9, 3)


def test_calls_are_counted_by_how_they_ended_also_when_their_window_is_gone() -> None:
    bench = Bench()
    permits = bench.permits(4)

    bench.breaker.record_success(permits[0], FAST_NS)
    bench.breaker.record_error(permits[1], SLOW_NS, DatabaseGone("gone"))
    bench.breaker.record_error(permits[2], FAST_NS, SoldOut("gone too"))
    bench.breaker.reset()
    bench.breaker.record_success(permits[3], FAST_NS)

    totals = bench.breaker.totals
    assert [(each.count, each.sum_ns) for each in (totals.successful, totals.failed, totals.ignored)] == [
        (2, 2 * FAST_NS),
        (1, SLOW_NS),
        (1, FAST_NS),
    ]


@pytest.mark.parametrize("state", [State.FORCED_OPEN, State.DISABLED])
def test_by_order_nothing_is_counted(state: State) -> None:
    bench = an_open_breaker()
    bench.admitted_of(2)
    totals = bench.breaker.totals
    before = (totals.successful.count, totals.failed.count, totals.ignored.count, totals.refused)
    permit = Bench().breaker.acquire()

    bench.breaker.transition_to(state)
    bench.admitted_of(2)
    bench.breaker.record_success(permit, FAST_NS)
    bench.breaker.record_error(permit, FAST_NS, DatabaseGone("gone"))
    bench.breaker.record_error(permit, FAST_NS, SoldOut("gone too"))

    assert before == (0, 4, 0, 2)
    assert (totals.successful.count, totals.failed.count, totals.ignored.count, totals.refused) == before
