"""Counts what has not left the outbox yet, for whoever watches it grow."""

from collections.abc import Mapping
from dataclasses import dataclass

from stagedoor.observability.metrics import Metrics
from stagedoor.outbox.model import Outlet
from stagedoor.outbox.ports import OutboxBacklog


@dataclass(frozen=True, slots=True, kw_only=True)
class CountBacklog:
    """Shows how many records wait, and how many are parked, on their way to each outlet."""

    outboxes: Mapping[Outlet, OutboxBacklog]
    metrics: Metrics

    async def __call__(self) -> int:
        """Count; there is never more to do at once. Raises `Fault`."""
        for outlet, outbox in self.outboxes.items():
            for state, records in (await outbox.backlog()).items():
                self.metrics.outbox_records.labels(outlet.value, state.name.lower()).set(records)
        return 0
