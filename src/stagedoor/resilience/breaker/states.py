"""The six states of a breaker, and which may follow which."""

from enum import Enum
from typing import Final


class State(Enum):
    """What a breaker does with calls; the values are the `state` labels of its metric."""

    CLOSED = "closed"
    """Every call passes and counts; too many failed or slow ones open the breaker."""

    OPEN = "open"
    """No call passes until the wait is over."""

    HALF_OPEN = "half_open"
    """A limited number of trial calls pass and decide between OPEN and CLOSED."""

    DISABLED = "disabled"
    """Every call passes, none counts."""

    FORCED_OPEN = "forced_open"
    """No call passes until an operator says otherwise."""

    METRICS_ONLY = "metrics_only"
    """Every call passes and counts, and the breaker never opens."""


_IMPOSSIBLE: Final = frozenset(
    {
        (State.CLOSED, State.HALF_OPEN),
        (State.METRICS_ONLY, State.OPEN),
        (State.METRICS_ONLY, State.HALF_OPEN),
    }
)


def may_follow(left: State, entered: State) -> bool:
    """Say whether a breaker may go from *left* to *entered*: 33 of the 36 pairs, a state itself included."""
    return (left, entered) not in _IMPOSSIBLE
