"""Takes stored events out of the outbox and hands them over, in order, at least once, one relay at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from stagedoor.kernel.clock import Clock
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import EventId
from stagedoor.kernel.lease import Fence, Leadership
from stagedoor.outbox.model import OutboxRecord
from stagedoor.outbox.ports import EventPublisher, NotTaken, Outbox

BATCH_MAX = 500

UNREADABLE = "this version cannot read what is stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayEvents:
    """
    Publish what waits for one outlet, while this process *leads*.

    A batch with an event that cannot be taken is tried one by one, so a bad
    record parks alone. An outage counts against no record: they wait until it
    is over, however long it lasts.
    """

    outbox: Outbox
    publisher: EventPublisher
    clock: Clock
    leads: Leadership

    async def __call__(self) -> int:
        """Relay one batch; return how many records were taken. Raises `Fault` in an outage, or when it slept."""
        fence = self.leads.fence
        if fence is None:
            return 0
        records = await self.outbox.waiting(limit=BATCH_MAX, at=self.clock.now())
        events = [record.event for record in records if record.event is not None]
        # Whoever slept since it was asked above may have been followed by another, who has sent these already.
        if not records or self.leads.fence != fence:
            return 0
        if len(events) < len(records) or not await self._taken(events):
            return await self._one_by_one(records, fence)
        await self.outbox.published([record.event_id for record in records], at=self.clock.now(), fence=fence)
        return len(records)

    async def _taken(self, events: Sequence[DomainEvent]) -> bool:
        try:
            await self.publisher.publish(events)
        except NotTaken:
            return False
        return True

    async def _one_by_one(self, records: Sequence[OutboxRecord], fence: Fence) -> int:
        taken: list[EventId] = []
        failed_subjects = set()
        try:
            for record in records:
                if record.subject_id in failed_subjects:
                    continue
                cause = await self._refusal(record)
                if cause is None:
                    taken.append(record.event_id)
                    continue
                failed_subjects.add(record.subject_id)
                await self.outbox.failed([record.event_id], at=self.clock.now(), cause=cause, fence=fence)
        except Fault:
            await self.outbox.published(taken, at=self.clock.now(), fence=fence)
            raise
        await self.outbox.published(taken, at=self.clock.now(), fence=fence)
        return len(taken)

    async def _refusal(self, record: OutboxRecord) -> str | None:
        if record.event is None:
            return UNREADABLE
        try:
            await self.publisher.publish([record.event])
        except NotTaken as refusal:
            return str(refusal)
        return None
