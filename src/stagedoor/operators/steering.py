"""An operator's hand on a breaker: it takes effect at once, whatever is down, and the audit hears of it when it can."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from stagedoor.kernel.clock import Clock
from stagedoor.kernel.errors import Rejection
from stagedoor.operators.model import AuditEntry, Detail
from stagedoor.operators.ports import AuditPen
from stagedoor.resilience.breaker import NO_RATE, BreakerSnapshot, CircuitBreaker, State
from stagedoor.resilience.breakers import Breakers


@unique
class BreakerOrder(StrEnum):
    """What a breaker can be told; the values are written into the audit."""

    FORCE_OPEN = "force_open"
    """Let no call through until somebody says otherwise."""

    CLOSE = "close"
    """Let every call through and count from nothing."""

    DISABLE = "disable"
    """Let every call through and never open."""

    RESET = "reset"
    """Begin afresh, as at the start of the process."""


_ENTERED: Final[Mapping[BreakerOrder, State]] = {
    BreakerOrder.FORCE_OPEN: State.FORCED_OPEN,
    BreakerOrder.CLOSE: State.CLOSED,
    BreakerOrder.DISABLE: State.DISABLED,
}


class UnknownBreaker(Rejection):
    """Nothing of that name is guarded in this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered:
    """A breaker after an order; *audited* says whether the entry is stored yet, or waits for a store that is down."""

    breaker: CircuitBreaker
    audited: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SteerBreakers:
    """Carries out what operators tell the breakers of this process."""

    breakers: Breakers
    pen: AuditPen
    clock: Clock

    async def steer(self, name: str, order: BreakerOrder, *, actor: str) -> Steered:
        """Carry out *order*. Raises `UnknownBreaker`."""
        breaker = self.breakers.find(name)
        if breaker is None:
            raise UnknownBreaker
        before = breaker.snapshot()
        # First: an operator steers in an outage, and must not need what is out. The database's own breaker, forced
        # open, would keep the entry from being written otherwise.
        obey(breaker, order)
        entry = AuditEntry(
            at=self.clock.now(),
            actor=actor,
            action=f"breaker.{order.value}",
            subject=f"breaker:{name}",
            detail=_detail(before, breaker.state),
        )
        return Steered(breaker=breaker, audited=await self.pen.note(entry))


def obey(breaker: CircuitBreaker, order: BreakerOrder) -> None:
    """Carry out *order* on *breaker*; whoever gave it has it audited."""
    if order is BreakerOrder.RESET:
        breaker.reset()
    else:
        breaker.transition_to(_ENTERED[order])


def _detail(before: BreakerSnapshot, entered: State) -> Detail:
    rates = {"failure_rate": before.failure_rate, "slow_call_rate": before.slow_call_rate}
    return {
        "left": before.state.value,
        "entered": entered.value,
        **{name: round(rate, 1) for name, rate in rates.items() if rate != NO_RATE},
    }
