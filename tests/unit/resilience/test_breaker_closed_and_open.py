from dataclasses import replace

import pytest

from stagedoor.kernel.errors import Fault
from stagedoor.resilience.breaker import NO_RATE, ON_SALE, CallNotPermitted, SlidingWindowType, State
from tests.unit.resilience.breakers import FAST_NS, SLOW_NS, SMALL, Bench, DatabaseGone, an_open_breaker


def test_it_opens_at_the_threshold_once_there_are_calls_enough() -> None:
    bench = Bench(ON_SALE)

    bench.fail(49)
    assert bench.breaker.snapshot().state is State.CLOSED
    bench.fail()

    assert bench.state is State.OPEN


def test_a_success_may_be_the_call_that_opens_it() -> None:
    bench = Bench(ON_SALE)

    bench.fail(49)
    bench.succeed()

    assert bench.state is State.OPEN
    assert bench.breaker.snapshot().failure_rate == 98


def test_sold_outs_count_as_nothing() -> None:
    bench = Bench(ON_SALE)

    bench.fail(49)
    bench.sell_out(200)

    assert bench.state is State.CLOSED
    assert bench.breaker.snapshot().buffered_calls == 49


def test_slow_calls_alone_open_it() -> None:
    bench = Bench()

    bench.succeed(3, duration_ns=SLOW_NS)
    assert bench.breaker.snapshot().state is State.CLOSED
    bench.succeed(duration_ns=SLOW_NS)

    assert bench.state is State.OPEN


def test_a_call_that_took_exactly_the_threshold_is_not_slow() -> None:
    bench = Bench()

    bench.succeed(duration_ns=SLOW_NS - 1)
    bench.fail(duration_ns=SLOW_NS - 1)

    assert bench.breaker.snapshot().slow_calls == 0


def test_a_snapshot_says_all_the_numbers() -> None:
    bench = Bench(replace(SMALL, failure_rate_threshold_percent=100))

    bench.succeed()
    bench.fail(2)
    bench.succeed(duration_ns=SLOW_NS)
    bench.fail(duration_ns=SLOW_NS)
    now = bench.breaker.snapshot()

    assert (now.state, now.failure_rate, now.slow_call_rate) == (State.CLOSED, 60, 40)
    assert (now.buffered_calls, now.failed_calls, now.slow_calls, now.slow_failed_calls) == (5, 3, 2, 1)
    assert now.not_permitted_calls == 0


def test_open_refuses_and_says_for_how_long() -> None:
    bench = an_open_breaker()
    bench.clock.advance(ms=1_500)

    with pytest.raises(CallNotPermitted) as refused:
        bench.breaker.acquire()

    assert str(refused.value) == "CircuitBreaker 'database' is OPEN and does not permit further calls"
    assert (refused.value.breaker, refused.value.state) == ("database", State.OPEN)
    assert refused.value.retry_after_ms == 3_501  # the wait is exclusive
    assert isinstance(refused.value, Fault)


def test_a_call_that_comes_back_when_told_to_is_a_trial() -> None:
    bench = an_open_breaker()
    bench.clock.advance(ms=700, ns=1)

    with pytest.raises(CallNotPermitted) as refused:
        bench.breaker.acquire()
    bench.clock.advance(ms=refused.value.retry_after_ms)
    bench.breaker.acquire()

    assert bench.state is State.HALF_OPEN


def test_open_shows_the_numbers_that_opened_it_and_counts_the_refused() -> None:
    bench = an_open_breaker()

    assert bench.admitted_of(3) == 0
    now = bench.breaker.snapshot()

    assert (now.failure_rate, now.failed_calls, now.not_permitted_calls) == (100, 4, 3)


@pytest.mark.parametrize(("waited_ms", "state"), [(5_000, State.OPEN), (5_001, State.HALF_OPEN)])
def test_the_wait_is_over_strictly_after_it(waited_ms: int, state: State) -> None:
    bench = an_open_breaker()
    bench.clock.advance(ms=waited_ms)

    bench.breaker.try_acquire()

    assert bench.state is state


def test_looking_does_not_end_the_wait() -> None:
    bench = an_open_breaker()
    bench.clock.advance(ms=60_000)

    assert bench.breaker.snapshot().state is State.OPEN
    assert bench.state is State.OPEN


def test_a_late_end_counts_in_the_window_that_open_shows_and_decides_nothing() -> None:
    bench = Bench()
    early = bench.permits(20)
    bench.fail(4)
    until = bench.clock.ns + 5_000_000_000

    bench.clock.advance(ms=3_000)
    for permit in early[:2]:
        bench.breaker.record_error(permit, FAST_NS, DatabaseGone("late"))
    for permit in early[2:]:
        bench.breaker.record_success(permit, FAST_NS)

    assert bench.state is State.OPEN
    assert bench.breaker.snapshot().failure_rate == 0
    bench.clock.advance(ns=until - bench.clock.ns + 1)
    assert bench.breaker.try_acquire() is not None


def test_a_time_window_in_open_goes_on_forgetting() -> None:
    bench = an_open_breaker(replace(SMALL, sliding_window_type=SlidingWindowType.TIME_BASED, sliding_window_size=3))

    bench.clock.advance(ms=3_000)

    assert bench.breaker.snapshot().buffered_calls == 0
    assert bench.breaker.snapshot().failure_rate == NO_RATE
