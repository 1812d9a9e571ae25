"""Lets in whoever is next, and counts them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from stagedoor.kernel.errors import Fault
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.breaker import CircuitBreaker
from stagedoor.waiting_room.ports import TurnReport


class Admits(Protocol):
    """Lets time act on every room's line, once."""

    async def admit(self) -> Sequence[TurnReport]:
        """Return what came of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmitCounted:
    """
    One tick of admission. *refresh_supply* reads what has changed of what is left; nothing changed, nothing read.

    While *guard* is open nobody is let in. A tick that changed nothing says nothing to it.
    """

    admit_next: Admits
    refresh_supply: Callable[[], Awaitable[None]]
    metrics: Metrics
    guard: CircuitBreaker

    async def __call__(self) -> int:
        """Return how many were let in. Raises `Fault`: then nobody was."""
        try:
            with self.guard.call() as call:
                # Nobody is let in to find nothing: what was sold a moment ago is counted first.
                await self.refresh_supply()
                reports = await self.admit_next.admit()
                if not any(report.admitted or report.passed_over or report.ended for report in reports):
                    call.say_nothing()
        except Fault:
            self.metrics.admission_failures.inc()
            raise
        for report in reports:
            self.metrics.admissions.labels(report.room_id).inc(report.admitted)
        return sum(report.admitted for report in reports)
