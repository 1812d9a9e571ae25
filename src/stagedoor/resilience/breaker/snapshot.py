"""A breaker's numbers at one moment, as a value."""

from dataclasses import dataclass

from stagedoor.resilience.breaker.states import State


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSnapshot:
    """
    A breaker's state and the numbers behind it.

    Rates are percentages, `NO_RATE` below the minimum number of calls. *failed_calls*
    and *slow_calls* both include the *slow_failed_calls*. *not_permitted_calls* are those
    refused since the window was begun. *retry_after_ms* says when a call may be let
    through: 0 where the next one is.
    """

    state: State
    failure_rate: float
    slow_call_rate: float
    buffered_calls: int
    failed_calls: int
    slow_calls: int
    slow_failed_calls: int
    not_permitted_calls: int
    retry_after_ms: int
