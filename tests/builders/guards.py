"""Breakers over a clock that a test moves, and breakers with everybody who listens in a server."""

import time

from stagedoor.kernel.clock import Clock
from stagedoor.observability.breaker_log import log_breaker
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.breaker import ON_SALE, BreakerSettings, CircuitBreaker
from stagedoor.resilience.breakers import Breakers, Instance

NS_PER_MS = 1_000_000


def a_breaker(clock: Clock, settings: BreakerSettings = ON_SALE, name: str = "guarded") -> CircuitBreaker:
    """Return a breaker whose time is that of *clock*."""
    return CircuitBreaker(name, settings, now_ns=lambda: clock.now() * NS_PER_MS)


def watched(settings: BreakerSettings = ON_SALE) -> Breakers:
    """Return breakers with these settings that the metrics show and the log listens to, as in a server."""
    breakers = Breakers(dict.fromkeys(Instance, settings), now_ns=time.monotonic_ns)
    Metrics().watch_breakers(breakers)
    breakers.subscribe(log_breaker, calls=False)
    return breakers
