"""A breaker, and the clock that it goes by."""

import pytest

from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.resilience.breaker import CircuitBreaker, State
from tests.builders.guards import a_breaker


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands until a test moves it on."""
    return ManualClock(Instant(0))


@pytest.fixture
def guard(clock: ManualClock) -> CircuitBreaker:
    """A closed breaker."""
    return a_breaker(clock)


@pytest.fixture
def on_trial(guard: CircuitBreaker) -> CircuitBreaker:
    """The same breaker, HALF_OPEN."""
    guard.transition_to(State.OPEN)
    guard.transition_to(State.HALF_OPEN)
    return guard
