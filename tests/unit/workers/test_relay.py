"""The relay: order is kept for each subject, and one bad record holds up nobody else."""

from collections.abc import Sequence

from stagedoor.adapters.embedded.publisher import InProcessPublisher
from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import EventId
from stagedoor.outbox.model import OutboxRecord
from stagedoor.outbox.ports import Outbox
from stagedoor.workers.relay import RelayEvents

NOON = Instant(1_800_000_000_000)


def a_record(sequence: int, *, subject: int) -> OutboxRecord:
    event = DomainEvent(event_id=EventId(f"e{sequence}"), occurred_at=NOON)
    return OutboxRecord(sequence=sequence, subject_id=subject, event=event)


class ListedOutbox(Outbox):
    """An outbox that hands out one list, once, and remembers what it was told."""

    def __init__(self, *records: OutboxRecord) -> None:
        self._records = list(records)
        self.taken: list[str] = []
        self.refused: list[str] = []

    async def waiting(self, *, limit: int, at: Instant) -> Sequence[OutboxRecord]:
        handed, self._records = self._records[:limit], self._records[limit:]
        return handed

    async def published(self, event_ids: Sequence[EventId], *, at: Instant) -> None:
        self.taken += event_ids

    async def failed(self, event_ids: Sequence[EventId], *, at: Instant, cause: str) -> None:
        self.refused += event_ids


class Picky:
    """A subscriber that chokes on some events."""

    def __init__(self, *chokes_on: str) -> None:
        self.seen: list[str] = []
        self._chokes_on = chokes_on

    async def __call__(self, events: Sequence[DomainEvent]) -> None:
        for event in events:
            if event.event_id in self._chokes_on:
                raise ValueError(event.event_id)
            self.seen.append(event.event_id)


async def relay(outbox: Outbox, *subscribers: Picky) -> int:
    publisher = InProcessPublisher(subscribers=subscribers)
    return await RelayEvents(outbox=outbox, publisher=publisher, clock=ManualClock(NOON))()


async def test_everything_is_taken_in_order() -> None:
    outbox, subscriber = ListedOutbox(a_record(1, subject=7), a_record(2, subject=8)), Picky()

    assert await relay(outbox, subscriber) == 2
    assert subscriber.seen == ["e1", "e2"]
    assert outbox.taken == ["e1", "e2"]


async def test_an_empty_outbox_is_no_work() -> None:
    assert await relay(ListedOutbox(), Picky()) == 0


async def test_a_bad_record_holds_up_only_its_own_subject() -> None:
    records = [a_record(1, subject=7), a_record(2, subject=8), a_record(3, subject=7), a_record(4, subject=9)]
    outbox = ListedOutbox(*records)
    subscriber = Picky("e1")

    assert await relay(outbox, subscriber) == 2
    assert outbox.taken == ["e2", "e4"]
    assert outbox.refused == ["e1"]
    assert "e3" not in subscriber.seen
