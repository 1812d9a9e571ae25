from dataclasses import replace

import pytest

from stagedoor.resilience.breaker import ON_SALE, CallNotPermitted, SlidingWindowType, State
from tests.unit.resilience.breakers import (
    FAST_NS,
    SLOW_NS,
    SMALL,
    Bench,
    DatabaseGone,
    SoldOut,
    a_half_open_breaker,
    an_open_breaker,
)


def test_the_permitted_number_is_a_total() -> None:
    bench = a_half_open_breaker(ON_SALE)

    bench.succeed(5)

    assert bench.admitted_of(30) == 5
    assert bench.breaker.snapshot().not_permitted_calls == 25


def test_the_call_that_ends_the_wait_is_a_trial_itself() -> None:
    bench = an_open_breaker()
    bench.clock.advance(ms=5_001)

    assert bench.admitted_of(10) == 4


@pytest.mark.parametrize(
    ("failures", "successes", "state"),
    [(9, 0, State.HALF_OPEN), (5, 5, State.OPEN), (4, 6, State.CLOSED), (10, 0, State.OPEN), (0, 10, State.CLOSED)],
)
def test_the_trial_is_decided_when_all_its_calls_are_in(failures: int, successes: int, state: State) -> None:
    bench = a_half_open_breaker(ON_SALE)

    bench.fail(failures)
    bench.succeed(successes)

    assert bench.state is state


def test_a_trial_of_slow_calls_opens_it_again() -> None:
    bench = a_half_open_breaker(replace(SMALL, slow_call_rate_threshold_percent=75))

    bench.succeed(3, duration_ns=SLOW_NS)
    bench.succeed()

    assert bench.state is State.OPEN
    assert bench.breaker.snapshot().slow_call_rate == 75


def test_a_small_minimum_decides_early() -> None:
    bench = a_half_open_breaker(replace(SMALL, minimum_number_of_calls=2))

    bench.succeed(2)

    assert bench.state is State.CLOSED


def test_the_trial_of_a_time_based_breaker_counts_calls_too() -> None:
    bench = a_half_open_breaker(replace(SMALL, sliding_window_type=SlidingWindowType.TIME_BASED))

    bench.succeed(3)
    bench.clock.advance(ms=3_600_000)
    bench.succeed()

    assert bench.state is State.CLOSED


def test_closed_again_it_begins_with_an_empty_window() -> None:
    bench = a_half_open_breaker()

    bench.succeed(4)
    bench.fail(3)

    assert bench.state is State.CLOSED
    assert bench.breaker.snapshot().buffered_calls == 3


def test_open_again_it_waits_as_long_again() -> None:
    bench = a_half_open_breaker()
    bench.clock.advance(ms=700)
    bench.fail(4)

    bench.clock.advance(ms=5_000)
    assert bench.breaker.try_acquire() is None
    bench.clock.advance(ns=1)
    assert bench.breaker.try_acquire() is not None


def test_ten_sold_outs_neither_close_nor_open_it() -> None:
    bench = a_half_open_breaker(ON_SALE)

    bench.sell_out(10)

    assert bench.state is State.HALF_OPEN
    assert bench.breaker.snapshot().buffered_calls == 0
    assert bench.admitted_of(11) == 10


def test_a_released_permit_is_given_again() -> None:
    bench = a_half_open_breaker()
    permits = bench.permits(4)
    assert bench.breaker.try_acquire() is None

    bench.breaker.release(permits[0])

    assert bench.admitted_of(2) == 1


def test_a_permit_released_twice_is_our_bug() -> None:
    bench = a_half_open_breaker()
    permit = bench.breaker.acquire()

    bench.breaker.release(permit)

    with pytest.raises(AssertionError):
        bench.breaker.release(permit)


def test_who_was_let_pass_before_the_trial_and_had_to_wait_is_none_of_its_calls() -> None:
    bench = Bench()
    early = bench.breaker.acquire()
    bench.breaker.look_again(early)

    for state in (State.OPEN, State.HALF_OPEN):
        bench.breaker.transition_to(state)
        with pytest.raises(CallNotPermitted) as refused:
            bench.breaker.look_again(early)
        assert refused.value.retry_after_ms > 0

    bench.breaker.look_again(bench.breaker.acquire())
    bench.succeed(3)
    bench.breaker.reset()
    bench.breaker.look_again(early)


def test_calls_from_before_the_outage_do_not_close_it() -> None:
    bench = Bench(ON_SALE)
    early = bench.permits(10)
    bench.fail(50)
    bench.clock.advance(ms=30_001)
    bench.breaker.acquire()

    for permit in early:
        bench.breaker.record_success(permit, FAST_NS)

    assert bench.state is State.HALF_OPEN
    assert bench.breaker.snapshot().buffered_calls == 0


def test_calls_from_before_the_outage_do_not_open_it_again() -> None:
    bench = Bench(ON_SALE)
    early = bench.permits(10)
    bench.fail(50)
    bench.clock.advance(ms=30_001)
    bench.breaker.acquire()

    for permit in early:
        bench.breaker.record_error(permit, FAST_NS, DatabaseGone("late"))

    assert bench.state is State.HALF_OPEN


def test_calls_from_before_the_outage_give_no_trial_call_back() -> None:
    bench = Bench()
    early = bench.permits(3)
    bench.fail(4)
    bench.clock.advance(ms=5_001)
    trials = bench.permits(4)

    bench.breaker.release(early[0])
    bench.breaker.record_error(early[1], FAST_NS, SoldOut())

    assert bench.breaker.try_acquire() is None
    bench.breaker.release(trials[0])
    assert bench.breaker.try_acquire() is not None


def test_trial_calls_of_an_earlier_trial_do_not_count_in_the_next() -> None:
    bench = a_half_open_breaker()
    straggler = bench.breaker.acquire()
    bench.breaker.transition_to(State.OPEN)
    bench.clock.advance(ms=5_001)
    bench.fail(3)

    bench.breaker.record_error(straggler, FAST_NS, DatabaseGone("late"))

    assert bench.state is State.HALF_OPEN
    assert bench.breaker.snapshot().buffered_calls == 3


def test_a_call_refused_in_a_trial_is_told_to_come_back_soon() -> None:
    bench = a_half_open_breaker()
    bench.permits(4)

    with pytest.raises(CallNotPermitted, match="'database' is HALF_OPEN") as refused:
        bench.breaker.acquire()

    assert refused.value.retry_after_ms == 1_000


def foreseen(bench: Bench) -> str:
    """Return what the breaker says of the next call."""
    if bench.breaker.refuses:
        assert not bench.breaker.tries
        return "refused"
    return "tried" if bench.breaker.tries else "made"


def test_one_can_see_what_the_next_call_would_be_without_asking_it() -> None:
    bench = Bench()
    seen = [foreseen(bench)]
    bench.fail(4)
    seen.append(foreseen(bench))
    bench.clock.advance(ms=5_000)
    seen.append(foreseen(bench))
    bench.clock.advance(ns=1)
    seen.append(foreseen(bench))

    assert seen == ["made", "refused", "refused", "tried"]
    assert (bench.breaker.state, bench.breaker.snapshot().not_permitted_calls) == (State.OPEN, 0)


def test_it_would_refuse_while_all_trial_calls_are_under_way_and_not_overdue() -> None:
    hopeful = replace(
        SMALL,
        max_wait_duration_in_half_open_state_ms=1_000,
        transition_to_state_after_wait_duration=State.CLOSED,
    )
    bench = a_half_open_breaker(hopeful)
    seen = [foreseen(bench)]
    permit, *_ = [bench.breaker.acquire() for _ in range(4)]
    seen.append(foreseen(bench))
    bench.breaker.release(permit)
    seen.append(foreseen(bench))
    bench.breaker.acquire()
    bench.clock.advance(ms=1_000)
    seen.append(foreseen(bench))

    assert seen == ["tried", "refused", "tried", "made"]


@pytest.mark.parametrize(
    ("state", "next_call"), [(State.FORCED_OPEN, "refused"), (State.DISABLED, "made"), (State.METRICS_ONLY, "made")]
)
def test_by_order_it_refuses_all_or_nothing(state: State, next_call: str) -> None:
    bench = Bench()
    bench.breaker.transition_to(state)

    assert foreseen(bench) == next_call
