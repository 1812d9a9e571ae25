"""
What a breaker tells whoever listens; made only if somebody does.

Of single calls the server itself does not listen: it shows the breakers' totals, which cost a call less.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from stagedoor.resilience.breaker.states import State


class Cause(Enum):
    """Why a breaker changed its state."""

    RATES = "rates"
    """The rates in the event reached a threshold, or, from HALF_OPEN to CLOSED, stayed below both."""

    WAIT_OVER = "wait_over"
    """The wait in OPEN was over."""

    TRIAL_OVERDUE = "trial_overdue"
    """HALF_OPEN reached no decision within its longest wait."""

    ORDER = "order"
    """Somebody told it to."""


class CallSucceeded(NamedTuple):
    """A permitted call did what it should; a tuple, because whoever listens to calls hears of nearly all of them so."""

    breaker: str
    duration_ns: int
    slow: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFailed:
    """A permitted call failed."""

    breaker: str
    duration_ns: int
    slow: bool
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class CallIgnored:
    """A permitted call ended in an exception that says nothing about the dependency."""

    breaker: str
    duration_ns: int
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRefused:
    """A call was not permitted."""

    breaker: str
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRateExceeded:
    """The failure rate, in percent, reached its threshold in CLOSED, or for the first time in METRICS_ONLY."""

    breaker: str
    failure_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowCallRateExceeded:
    """The rate of slow calls, in percent, reached its threshold in CLOSED, or for the first time in METRICS_ONLY."""

    breaker: str
    slow_call_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    """
    The breaker went from *left* to *entered*.

    The rates are those of the moment before, in percent, -1 below the minimum number of calls.
    """

    breaker: str
    left: State
    entered: State
    cause: Cause
    failure_rate: float
    slow_call_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerReset:
    """The breaker was told to begin afresh, closed."""

    breaker: str


BreakerEvent = (
    CallSucceeded
    | CallFailed
    | CallIgnored
    | CallRefused
    | FailureRateExceeded
    | SlowCallRateExceeded
    | StateChanged
    | BreakerReset
)

Listener = Callable[[BreakerEvent], None]
"""
Gets every event, in order, after the breaker has settled, so it may ask or steer the breaker.

A listener must not raise: what it raises reaches the guarded caller (the breaker itself stays sound).
"""
