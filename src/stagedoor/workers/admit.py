"""Lets in whoever is next, and counts them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from stagedoor.kernel.errors import Fault
from stagedoor.observability.metrics import Metrics
from stagedoor.waiting_room.use_cases import AdmitNext


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmitCounted:
    """One tick of admission. *refresh_supply* reads what has changed of what is left; nothing changed, nothing read."""

    admit_next: AdmitNext
    refresh_supply: Callable[[], Awaitable[None]]
    metrics: Metrics

    async def __call__(self) -> int:
        """Return how many were let in. Raises `Fault`: then nobody was."""
        # Nobody is let in to find nothing: what was sold a moment ago is counted first.
        await self.refresh_supply()
        try:
            reports = await self.admit_next.admit()
        except Fault:
            self.metrics.admission_failures.inc()
            raise
        for report in reports:
            self.metrics.admissions.labels(report.room_id).inc(report.admitted)
        return sum(report.admitted for report in reports)
