"""Takes stored events out of the outbox and hands them over, in order, at least once."""

from collections.abc import Sequence
from dataclasses import dataclass

from stagedoor.kernel.clock import Clock
from stagedoor.kernel.errors import Fault
from stagedoor.outbox.model import OutboxRecord
from stagedoor.outbox.ports import EventPublisher, Outbox

BATCH_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayEvents:
    """Publish what waits in the outbox. A batch that is refused is tried one by one, so a bad record parks alone."""

    outbox: Outbox
    publisher: EventPublisher
    clock: Clock

    async def __call__(self) -> int:
        """Relay one batch; return how many records were taken."""
        records = await self.outbox.waiting(limit=BATCH_MAX, at=self.clock.now())
        if not records:
            return 0
        try:
            await self.publisher.publish([record.event for record in records])
        except Fault:
            return await self._one_by_one(records)
        await self.outbox.published([record.event.event_id for record in records], at=self.clock.now())
        return len(records)

    async def _one_by_one(self, records: Sequence[OutboxRecord]) -> int:
        taken = []
        failed_subjects = set()
        for record in records:
            if record.subject_id in failed_subjects:
                continue
            event_id = record.event.event_id
            try:
                await self.publisher.publish([record.event])
            except Fault as fault:
                failed_subjects.add(record.subject_id)
                await self.outbox.failed([event_id], at=self.clock.now(), cause=str(fault))
            else:
                taken.append(event_id)
        await self.outbox.published(taken, at=self.clock.now())
        return len(taken)
