from dataclasses import replace
from itertools import product

import pytest

from stagedoor.resilience.breaker import CallNotPermitted, IllegalTransition, State, may_follow
from tests.unit.resilience.breakers import FAST_NS, SLOW_NS, SMALL, Bench, DatabaseGone, an_open_breaker

IMPOSSIBLE = {
    (State.CLOSED, State.HALF_OPEN),
    (State.METRICS_ONLY, State.OPEN),
    (State.METRICS_ONLY, State.HALF_OPEN),
}


def a_breaker_in(state: State) -> Bench:
    bench = Bench()
    if state is State.HALF_OPEN:
        bench.breaker.transition_to(State.OPEN)
    bench.breaker.transition_to(state)
    return bench


@pytest.mark.parametrize(("left", "entered"), list(product(State, State)))
def test_every_state_may_follow_every_other_save_three(left: State, entered: State) -> None:
    bench = a_breaker_in(left)

    if (left, entered) in IMPOSSIBLE:
        with pytest.raises(IllegalTransition) as refused:
            bench.breaker.transition_to(entered)
        assert str(refused.value) == (
            f"CircuitBreaker 'database' tried an illegal state transition from {left.name} to {entered.name}"
        )
        assert bench.state is left
        assert not may_follow(left, entered)
    else:
        bench.breaker.transition_to(entered)
        assert bench.state is entered
        assert may_follow(left, entered)


def test_disabled_admits_everything_and_counts_nothing() -> None:
    bench = a_breaker_in(State.DISABLED)

    bench.fail(100)

    assert bench.state is State.DISABLED
    assert bench.breaker.snapshot().buffered_calls == 0


@pytest.mark.parametrize("later", [State.CLOSED, State.OPEN, State.HALF_OPEN, State.METRICS_ONLY])
def test_a_call_admitted_while_disabled_counts_nowhere_later(later: State) -> None:
    bench = a_breaker_in(State.DISABLED)
    early = bench.permits(2)

    bench.breaker.transition_to(later)
    bench.breaker.record_error(early[0], FAST_NS, DatabaseGone("late"))
    bench.breaker.release(early[1])

    assert bench.state is later
    assert bench.breaker.snapshot().buffered_calls == 0


def test_forced_open_refuses_for_as_long_as_it_is_left_there() -> None:
    bench = a_breaker_in(State.FORCED_OPEN)
    bench.clock.advance(ms=86_400_000)
    bench.breaker.tick()

    with pytest.raises(CallNotPermitted, match="'database' is FORCED_OPEN") as refused:
        bench.breaker.acquire()

    assert bench.state is State.FORCED_OPEN
    assert refused.value.retry_after_ms == 5_000
    assert bench.breaker.snapshot().not_permitted_calls == 1


def test_metrics_only_counts_and_never_opens() -> None:
    bench = a_breaker_in(State.METRICS_ONLY)

    bench.fail(20, duration_ns=SLOW_NS)

    assert bench.state is State.METRICS_ONLY
    assert bench.breaker.snapshot().failure_rate == 100
    assert bench.breaker.snapshot().slow_call_rate == 100


@pytest.mark.parametrize("state", [State.CLOSED, State.METRICS_ONLY])
def test_going_where_it_is_empties_the_window(state: State) -> None:
    bench = a_breaker_in(state)
    bench.fail(3)

    bench.breaker.transition_to(state)

    assert bench.breaker.snapshot().buffered_calls == 0


def test_opening_an_open_breaker_keeps_the_numbers_and_waits_anew() -> None:
    bench = an_open_breaker()
    bench.clock.advance(ms=4_000)

    bench.breaker.transition_to(State.OPEN)
    bench.clock.advance(ms=4_000)

    assert bench.breaker.try_acquire() is None
    assert bench.breaker.snapshot().failed_calls == 4


def test_going_to_half_open_again_gives_all_trial_calls_again() -> None:
    bench = a_breaker_in(State.HALF_OPEN)
    old = bench.permits(4)

    bench.breaker.transition_to(State.HALF_OPEN)
    bench.breaker.record_error(old[0], FAST_NS, DatabaseGone("of the old trial"))

    assert bench.admitted_of(10) == 4
    assert bench.breaker.snapshot().buffered_calls == 0


def test_opened_by_hand_it_shows_the_numbers_so_far() -> None:
    bench = Bench()
    bench.fail(2)

    bench.breaker.transition_to(State.OPEN)

    assert bench.breaker.snapshot().failed_calls == 2
    assert bench.breaker.try_acquire() is None


@pytest.mark.parametrize("state", list(State))
def test_reset_closes_it_with_an_empty_window(state: State) -> None:
    bench = a_breaker_in(state)
    bench.admitted_of(20)

    bench.breaker.reset()
    now = bench.breaker.snapshot()

    assert (now.state, now.buffered_calls, now.not_permitted_calls) == (State.CLOSED, 0, 0)


def test_calls_under_way_at_a_reset_do_not_count_after_it() -> None:
    bench = Bench(replace(SMALL, minimum_number_of_calls=1))
    early = bench.breaker.acquire()

    bench.breaker.reset()
    bench.breaker.record_error(early, FAST_NS, DatabaseGone("late"))

    assert bench.state is State.CLOSED
