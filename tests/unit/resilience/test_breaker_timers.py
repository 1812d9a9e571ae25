from dataclasses import replace

import pytest

from stagedoor.resilience.breaker import State
from tests.unit.resilience.breakers import (
    FAST_NS,
    SMALL,
    DatabaseGone,
    a_half_open_breaker,
    an_open_breaker,
)

AUTOMATIC = replace(SMALL, automatic_transition_from_open_to_half_open_enabled=True)
IMPATIENT = replace(SMALL, max_wait_duration_in_half_open_state_ms=1_000)
HOPEFUL = replace(IMPATIENT, transition_to_state_after_wait_duration=State.CLOSED)


def test_without_the_automatic_transition_a_tick_leaves_it_open() -> None:
    bench = an_open_breaker()
    bench.clock.advance(ms=60_000)

    bench.breaker.tick()

    assert bench.state is State.OPEN


@pytest.mark.parametrize(("waited_ms", "state"), [(4_999, State.OPEN), (5_000, State.HALF_OPEN)])
def test_a_tick_ends_the_wait_without_a_call(waited_ms: int, state: State) -> None:
    bench = an_open_breaker(AUTOMATIC)
    bench.clock.advance(ms=waited_ms)

    bench.breaker.tick()

    assert bench.state is state


def test_ended_by_a_tick_the_wait_costs_no_trial_call() -> None:
    bench = an_open_breaker(AUTOMATIC)
    bench.clock.advance(ms=5_000)

    bench.breaker.tick()

    assert bench.admitted_of(10) == 4


def test_an_automatic_wait_is_void_once_somebody_else_moved_it() -> None:
    bench = an_open_breaker(AUTOMATIC)
    bench.breaker.reset()
    bench.clock.advance(ms=60_000)

    bench.breaker.tick()

    assert bench.state is State.CLOSED


@pytest.mark.parametrize(("waited_ms", "state"), [(999, State.HALF_OPEN), (1_000, State.OPEN)])
def test_a_tick_opens_it_again_when_the_trial_is_overdue(waited_ms: int, state: State) -> None:
    bench = a_half_open_breaker(IMPATIENT)
    bench.clock.advance(ms=waited_ms)

    bench.breaker.tick()

    assert bench.state is state


def test_an_overdue_trial_may_close_it_instead() -> None:
    bench = a_half_open_breaker(HOPEFUL)
    bench.clock.advance(ms=1_000)

    bench.breaker.tick()

    assert bench.state is State.CLOSED


def test_no_longest_wait_means_for_ever() -> None:
    bench = a_half_open_breaker()
    bench.permits(4)
    bench.clock.advance(ms=86_400_000)

    bench.breaker.tick()

    assert bench.state is State.HALF_OPEN


def test_a_call_notices_an_overdue_trial_without_a_tick() -> None:
    bench = a_half_open_breaker(IMPATIENT)
    bench.clock.advance(ms=1_000)

    assert bench.breaker.try_acquire() is None
    assert bench.state is State.OPEN


def test_a_call_that_finds_the_trial_overdue_and_closed_is_admitted() -> None:
    bench = a_half_open_breaker(HOPEFUL)
    bench.clock.advance(ms=1_000)

    assert bench.breaker.try_acquire() is not None
    assert bench.state is State.CLOSED


def test_the_wait_after_an_overdue_trial_counts_from_when_it_was_due() -> None:
    bench = a_half_open_breaker(IMPATIENT)
    bench.permits(4)
    bench.clock.advance(ms=6_001)

    assert bench.breaker.try_acquire() is not None
    assert bench.state is State.HALF_OPEN


def test_a_late_tick_takes_both_steps() -> None:
    bench = a_half_open_breaker(replace(IMPATIENT, automatic_transition_from_open_to_half_open_enabled=True))
    bench.permits(4)
    bench.clock.advance(ms=3_600_000)

    bench.breaker.tick()

    assert bench.state is State.HALF_OPEN
    assert bench.admitted_of(10) == 4


def test_an_answer_after_the_trial_was_due_does_not_decide_it() -> None:
    bench = a_half_open_breaker(IMPATIENT)
    permits = bench.permits(4)
    for permit in permits[:3]:
        bench.breaker.record_success(permit, FAST_NS)
    bench.clock.advance(ms=1_000)

    bench.breaker.record_success(permits[3], FAST_NS)

    assert bench.state is State.OPEN


def test_an_answer_after_the_trial_was_closed_does_not_count() -> None:
    bench = a_half_open_breaker(HOPEFUL)
    permit = bench.breaker.acquire()
    bench.clock.advance(ms=1_000)

    bench.breaker.record_error(permit, FAST_NS, DatabaseGone("late"))

    assert bench.state is State.CLOSED
    assert bench.breaker.snapshot().buffered_calls == 0


def test_a_trial_that_was_decided_is_never_overdue() -> None:
    bench = a_half_open_breaker(IMPATIENT)
    bench.succeed(4)
    bench.clock.advance(ms=1_000)

    bench.breaker.tick()

    assert bench.state is State.CLOSED
