"""A breaker, and the clock that it goes by."""

import pytest

from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.resilience.breaker import CircuitBreaker
from tests.builders.guards import a_breaker


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands until a test moves it on."""
    return ManualClock(Instant(0))


@pytest.fixture
def guard(clock: ManualClock) -> CircuitBreaker:
    """A closed breaker."""
    return a_breaker(clock)
