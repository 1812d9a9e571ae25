"""Breakers over a clock that a test moves."""

from stagedoor.kernel.clock import Clock
from stagedoor.resilience.breaker import ON_SALE, BreakerSettings, CircuitBreaker

NS_PER_MS = 1_000_000


def a_breaker(clock: Clock, settings: BreakerSettings = ON_SALE, name: str = "guarded") -> CircuitBreaker:
    """Return a breaker whose time is that of *clock*."""
    return CircuitBreaker(name, settings, now_ns=lambda: clock.now() * NS_PER_MS)
