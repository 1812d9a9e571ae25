"""A circuit breaker with Resilience4j's rules: it stops asking a dependency that fails or crawls, and tries again."""

from stagedoor.resilience.breaker.circuit import CircuitBreaker
from stagedoor.resilience.breaker.events import (
    BreakerEvent,
    BreakerReset,
    CallFailed,
    CallIgnored,
    CallRefused,
    CallSucceeded,
    Cause,
    FailureRateExceeded,
    Listener,
    SlowCallRateExceeded,
    StateChanged,
)
from stagedoor.resilience.breaker.guarded_call import GuardedCall
from stagedoor.resilience.breaker.permits import CallNotPermitted, IllegalTransition, Permit
from stagedoor.resilience.breaker.settings import ON_SALE, BreakerSettings, SlidingWindowType
from stagedoor.resilience.breaker.snapshot import BreakerSnapshot
from stagedoor.resilience.breaker.states import State, may_follow
from stagedoor.resilience.breaker.verdicts import FAULTS_FAIL, ByClass, Classify, Verdict
from stagedoor.resilience.breaker.windows import NO_RATE, MonotonicNs

__all__ = [
    "FAULTS_FAIL",
    "NO_RATE",
    "ON_SALE",
    "BreakerEvent",
    "BreakerReset",
    "BreakerSettings",
    "BreakerSnapshot",
    "ByClass",
    "CallFailed",
    "CallIgnored",
    "CallNotPermitted",
    "CallRefused",
    "CallSucceeded",
    "Cause",
    "CircuitBreaker",
    "Classify",
    "FailureRateExceeded",
    "GuardedCall",
    "IllegalTransition",
    "Listener",
    "MonotonicNs",
    "Permit",
    "SlidingWindowType",
    "SlowCallRateExceeded",
    "State",
    "StateChanged",
    "Verdict",
    "may_follow",
]
