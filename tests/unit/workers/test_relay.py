"""The relay: order is kept for each subject, one bad record holds up nobody else, an outage is nobody's fault."""

from collections.abc import Sequence

import pytest

from stagedoor.adapters.embedded.publisher import InProcessPublisher
from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import EventId
from stagedoor.kernel.lease import Fence, Leadership, OnlyProcess
from stagedoor.outbox.model import OutboxRecord
from stagedoor.outbox.ports import NotTaken, Outbox
from stagedoor.workers.relay import RelayEvents
from tests.builders.events import something

NOON = Instant(1_800_000_000_000)


def a_record(sequence: int, *, subject: int, readable: bool = True) -> OutboxRecord:
    event_id = EventId(f"e{sequence}")
    event = something(event_id) if readable else None
    return OutboxRecord(sequence=sequence, event_id=event_id, subject_id=subject, event=event)


class ListedOutbox(Outbox):
    """An outbox that hands out one list, once, and remembers what it was told."""

    def __init__(self, *records: OutboxRecord) -> None:
        self._records = list(records)
        self.taken: list[str] = []
        self.refused: list[str] = []
        self.fences: set[Fence] = set()

    async def waiting(self, *, limit: int, at: Instant) -> Sequence[OutboxRecord]:
        handed, self._records = self._records[:limit], self._records[limit:]
        return handed

    async def published(self, event_ids: Sequence[EventId], *, at: Instant, fence: Fence) -> None:
        self.taken += event_ids
        self.fences.add(fence)

    async def failed(self, event_ids: Sequence[EventId], *, at: Instant, cause: str, fence: Fence) -> None:
        self.refused += event_ids
        self.fences.add(fence)


class Picky:
    """A subscriber that chokes on some events, and cannot act once it has been handed one of others."""

    def __init__(self, *chokes_on: str, is_down_at: str = "") -> None:
        self.seen: list[str] = []
        self._chokes_on = chokes_on
        self._is_down_at = is_down_at

    async def __call__(self, events: Sequence[DomainEvent]) -> None:
        for event in events:
            if event.event_id == self._is_down_at:
                raise Fault("the line's store is down")
            if event.event_id in self._chokes_on:
                raise ValueError(event.event_id)
            self.seen.append(event.event_id)


class Leads(Leadership):
    """A leadership that is asked so often before it changes hands."""

    def __init__(self, *fences: int | None) -> None:
        self._fences = list(fences)

    @property
    def fence(self) -> Fence | None:
        fence = self._fences.pop(0) if len(self._fences) > 1 else self._fences[0]
        return None if fence is None else Fence(fence)


async def relay(outbox: Outbox, *subscribers: Picky, leads: Leadership | None = None) -> int:
    publisher = InProcessPublisher(subscribers=subscribers)
    relay_events = RelayEvents(
        outbox=outbox, publisher=publisher, clock=ManualClock(NOON), leads=leads or OnlyProcess()
    )
    return await relay_events()


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


async def test_what_cannot_be_read_is_refused_and_holds_up_only_its_own_subject() -> None:
    outbox = ListedOutbox(a_record(1, subject=7, readable=False), a_record(2, subject=7), a_record(3, subject=8))
    subscriber = Picky()

    assert await relay(outbox, subscriber) == 1
    assert (outbox.taken, outbox.refused, subscriber.seen) == (["e3"], ["e1"], ["e3"])


async def test_an_outage_counts_against_nobody() -> None:
    outbox = ListedOutbox(a_record(1, subject=7), a_record(2, subject=8))

    with pytest.raises(Fault, match="is down") as fault:
        await relay(outbox, Picky(is_down_at="e2"))

    assert not isinstance(fault.value, NotTaken)
    assert (outbox.taken, outbox.refused) == ([], [])


async def test_an_outage_among_bad_records_keeps_what_was_done_before_it() -> None:
    outbox = ListedOutbox(*(a_record(number, subject=number) for number in range(1, 5)))

    with pytest.raises(Fault, match="is down"):
        await relay(outbox, Picky("e2", is_down_at="e3"))

    assert (outbox.taken, outbox.refused) == (["e1"], ["e2"])


async def test_who_does_not_lead_hands_over_nothing() -> None:
    outbox, subscriber = ListedOutbox(a_record(1, subject=7)), Picky()

    assert await relay(outbox, subscriber, leads=Leads(None)) == 0
    assert (outbox.taken, subscriber.seen) == ([], [])


async def test_who_was_followed_while_it_read_hands_over_nothing() -> None:
    outbox, subscriber = ListedOutbox(a_record(1, subject=7)), Picky()

    assert await relay(outbox, subscriber, leads=Leads(3, None)) == 0
    assert await relay(ListedOutbox(a_record(1, subject=7)), subscriber, leads=Leads(3, 5)) == 0
    assert (outbox.taken, subscriber.seen) == ([], [])


async def test_it_writes_under_the_fence_it_read_under() -> None:
    outbox = ListedOutbox(a_record(1, subject=7), a_record(2, subject=8))

    assert await relay(outbox, Picky("e2"), leads=Leads(3, 3, 4)) == 1
    assert outbox.fences == {3}
