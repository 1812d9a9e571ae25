from dataclasses import replace

import pytest

from stagedoor.resilience.breaker import (
    NO_RATE,
    BreakerEvent,
    BreakerReset,
    ByClass,
    CallFailed,
    CallIgnored,
    CallRefused,
    CallSucceeded,
    Cause,
    FailureRateExceeded,
    SlowCallRateExceeded,
    State,
    StateChanged,
    Verdict,
)
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


def a_change(left: State, entered: State, cause: Cause, *rates: float) -> StateChanged:
    failure_rate, slow_call_rate = rates or (NO_RATE, NO_RATE)
    return StateChanged(
        breaker="database",
        left=left,
        entered=entered,
        cause=cause,
        failure_rate=failure_rate,
        slow_call_rate=slow_call_rate,
    )


def test_every_way_a_call_ends_is_told() -> None:
    bench = Bench()
    bench.listen()
    gone, sold_out = DatabaseGone("gone"), SoldOut("gone too")
    permits = bench.permits(4)

    bench.breaker.record_success(permits[0], FAST_NS)
    bench.breaker.record_error(permits[1], SLOW_NS, gone)
    bench.breaker.record_error(permits[2], FAST_NS, sold_out)
    bench.breaker.release(permits[3])

    assert bench.told == [
        CallSucceeded(breaker="database", duration_ns=FAST_NS, slow=False),
        CallFailed(breaker="database", duration_ns=SLOW_NS, slow=True, error=gone),
        CallIgnored(breaker="database", duration_ns=FAST_NS, error=sold_out),
    ]


def test_an_error_that_counts_as_a_success_is_told_as_one() -> None:
    bench = Bench(classify=ByClass(otherwise=Verdict.SUCCESS))
    bench.listen()

    bench.breaker.record_error(bench.breaker.acquire(), FAST_NS, KeyError())

    assert bench.told == [CallSucceeded(breaker="database", duration_ns=FAST_NS, slow=False)]


def test_opening_tells_the_call_then_the_rates_then_the_change() -> None:
    bench = Bench(replace(SMALL, slow_call_rate_threshold_percent=50))
    bench.fail(2)
    bench.succeed(duration_ns=SLOW_NS)
    bench.listen()

    bench.succeed(duration_ns=SLOW_NS)

    assert bench.told == [
        CallSucceeded(breaker="database", duration_ns=SLOW_NS, slow=True),
        FailureRateExceeded(breaker="database", failure_rate=50),
        SlowCallRateExceeded(breaker="database", slow_call_rate=50),
        a_change(State.CLOSED, State.OPEN, Cause.RATES, 50, 50),
    ]


def test_only_the_rate_that_was_exceeded_is_told() -> None:
    bench = Bench()
    bench.succeed(3, duration_ns=SLOW_NS)
    bench.listen()

    bench.succeed(duration_ns=SLOW_NS)

    assert bench.told[1:] == [
        SlowCallRateExceeded(breaker="database", slow_call_rate=100),
        a_change(State.CLOSED, State.OPEN, Cause.RATES, 0, 100),
    ]


def test_a_refused_call_is_told() -> None:
    bench = an_open_breaker()
    bench.listen()

    bench.admitted_of(2)

    assert bench.told == [CallRefused(breaker="database", state=State.OPEN)] * 2


def test_a_trial_that_opens_it_again_tells_only_the_change() -> None:
    bench = a_half_open_breaker()
    bench.fail(3)
    bench.listen()

    bench.succeed()

    assert bench.told == [
        CallSucceeded(breaker="database", duration_ns=FAST_NS, slow=False),
        a_change(State.HALF_OPEN, State.OPEN, Cause.RATES, 75, 0),
    ]


def test_a_change_says_why() -> None:
    bench = an_open_breaker(replace(SMALL, max_wait_duration_in_half_open_state_ms=1_000))
    bench.listen()

    bench.clock.advance(ms=5_001)
    bench.breaker.try_acquire()
    bench.clock.advance(ms=1_000)
    bench.breaker.tick()
    bench.breaker.transition_to(State.DISABLED)

    assert bench.told == [
        a_change(State.OPEN, State.HALF_OPEN, Cause.WAIT_OVER, 100, 0),
        a_change(State.HALF_OPEN, State.OPEN, Cause.TRIAL_OVERDUE),
        a_change(State.OPEN, State.DISABLED, Cause.ORDER),
    ]


def test_staying_in_a_state_is_no_change() -> None:
    bench = an_open_breaker()
    bench.listen()

    bench.breaker.transition_to(State.OPEN)

    assert bench.told == []


def test_a_reset_tells_the_change_and_itself() -> None:
    bench = an_open_breaker()
    bench.listen()

    bench.breaker.reset()
    bench.breaker.reset()

    assert bench.told == [
        a_change(State.OPEN, State.CLOSED, Cause.ORDER, 100, 0),
        BreakerReset(breaker="database"),
        BreakerReset(breaker="database"),
    ]


@pytest.mark.parametrize("state", [State.DISABLED, State.FORCED_OPEN])
def test_disabled_and_forced_open_tell_of_no_call(state: State) -> None:
    bench = Bench()
    early = bench.permits(3)
    bench.breaker.transition_to(state)
    bench.listen()

    bench.breaker.record_success(early[0], FAST_NS)
    bench.breaker.record_error(early[1], FAST_NS, DatabaseGone("late"))
    bench.breaker.record_error(early[2], FAST_NS, SoldOut())
    bench.admitted_of(1)

    assert bench.told == []


def test_metrics_only_tells_each_rate_once() -> None:
    bench = Bench()
    bench.breaker.transition_to(State.METRICS_ONLY)
    bench.listen()

    bench.fail(20, duration_ns=SLOW_NS)

    assert [told for told in bench.told if not isinstance(told, CallFailed)] == [
        FailureRateExceeded(breaker="database", failure_rate=100),
        SlowCallRateExceeded(breaker="database", slow_call_rate=100),
    ]


def test_a_late_end_is_told_although_it_does_not_count() -> None:
    bench = Bench()
    early = bench.breaker.acquire()
    bench.breaker.reset()
    bench.listen()

    bench.breaker.record_success(early, FAST_NS)

    assert bench.told == [CallSucceeded(breaker="database", duration_ns=FAST_NS, slow=False)]


def test_whoever_does_not_listen_to_single_calls_hears_what_comes_of_them() -> None:
    bench = Bench()
    bench.breaker.subscribe(bench.told.append, calls=False)

    bench.fail(4)

    assert bench.told == [
        FailureRateExceeded(breaker="database", failure_rate=100),
        a_change(State.CLOSED, State.OPEN, Cause.RATES, 100, 0),
    ]


def test_a_listener_sees_the_breaker_settled() -> None:
    bench = Bench()
    seen: list[State] = []
    bench.fail(3)
    bench.breaker.subscribe(lambda _: seen.append(bench.state))

    bench.fail()

    assert seen == [State.OPEN] * 3


def test_a_listener_may_steer_and_all_hear_it_in_order() -> None:
    bench = Bench()

    def give_up(event: BreakerEvent) -> None:
        if isinstance(event, StateChanged) and event.entered is State.OPEN:
            bench.breaker.transition_to(State.FORCED_OPEN)

    bench.breaker.subscribe(give_up)
    bench.fail(3)
    bench.listen()

    bench.fail()

    assert [told.entered for told in bench.told if isinstance(told, StateChanged)] == [State.OPEN, State.FORCED_OPEN]


def test_a_listener_that_raises_leaves_the_breaker_sound() -> None:
    bench = Bench()
    bench.fail(3)

    def broken(event: BreakerEvent) -> None:
        if isinstance(event, CallFailed):
            raise ZeroDivisionError

    bench.breaker.subscribe(broken)
    bench.listen()

    with pytest.raises(ZeroDivisionError):
        bench.fail()
    bench.admitted_of(1)

    assert bench.state is State.OPEN
    assert bench.told == [
        FailureRateExceeded(breaker="database", failure_rate=100),
        a_change(State.CLOSED, State.OPEN, Cause.RATES, 100, 0),
        CallRefused(breaker="database", state=State.OPEN),
    ]
