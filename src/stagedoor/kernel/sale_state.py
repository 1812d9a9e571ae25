"""How much of a sale goes on: what an operator's switch says."""

from collections.abc import Iterable
from enum import StrEnum, unique
from typing import Final


@unique
class SaleState(StrEnum):
    """The values are stored, and what operators type; never rename them."""

    OPEN = "open"
    """Everything goes on."""

    HOLDS_ONLY_FINISH = "holds-only-finish"
    """No seat is held anew; who holds seats may pay for them, or let them go."""

    STOPPED = "stopped"
    """No seat is held and none is paid for. Letting go goes on, and holds run out as ever."""


_ORDER: Final = tuple(SaleState)


def strictest(one: SaleState, other: SaleState) -> SaleState:
    """Return the one of two under which less goes on: what holds where both are said."""
    return max(one, other, key=_ORDER.index)


def mildest(states: Iterable[SaleState], default: SaleState) -> SaleState:
    """Return the one under which most goes on, *default* if there is none."""
    return min(states, key=_ORDER.index, default=default)
