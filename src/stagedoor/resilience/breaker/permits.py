"""Leave for one call, and the two refusals of a breaker."""

from typing import Final, NewType

from stagedoor.kernel.errors import TurnedAway
from stagedoor.resilience.breaker.states import State

Permit = NewType("Permit", int)
"""Leave for one call: the number of the window that its end counts in. Ended once, in one of the ways there are."""

UNCOUNTED: Final = Permit(0)
"""The permit of a disabled breaker: however the call ends, it counts nowhere."""


class CallNotPermitted(TurnedAway):
    """The breaker *breaker* did not let the call through; the dependency was not asked."""

    def __init__(self, breaker: str, state: State, *, retry_after_ms: int) -> None:
        super().__init__(
            f"CircuitBreaker '{breaker}' is {state.name} and does not permit further calls",
            retry_after_ms=retry_after_ms,
        )
        self.breaker = breaker
        self.state = state


class IllegalTransition(ValueError):  # noqa: N818 -- named after what was asked for
    """No breaker may go from *left* to *entered*."""

    def __init__(self, breaker: str, left: State, entered: State) -> None:
        super().__init__(
            f"CircuitBreaker '{breaker}' tried an illegal state transition from {left.name} to {entered.name}"
        )
        self.breaker = breaker
        self.left = left
        self.entered = entered
