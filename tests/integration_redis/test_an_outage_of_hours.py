"""Redis away for hours: what the sale decides meanwhile waits in its outbox, and is told once when Redis is back."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from stagedoor.adapters.embedded.publisher import InProcessPublisher
from stagedoor.adapters.redis.log_entries import Heard, UsedUp
from stagedoor.adapters.redis.untold_notes import NOTES_AT_ONCE, NOTES_MAX
from stagedoor.adapters.sql.outbox import SqlOutbox
from stagedoor.checkout.line_subscriber import TellTheLine
from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import MAIN_ROOM, HoldId, QueueNumber
from stagedoor.kernel.lease import OnlyProcess
from stagedoor.outbox.model import Outlet
from stagedoor.waiting_room.model import PlaceState
from stagedoor.waiting_room.ports import HoldNote
from stagedoor.workers.relay import BATCH_MAX, RelayEvents
from tests.builders.events import paid, store
from tests.builders.line import a_ref, a_room
from tests.builders.sale import NOON
from tests.integration_redis.lines import Process, Town, a_town

CROWD = 5_000
TRIES = 60
FAR_OFF = Instant(4_000_000_000_000)
AWAY = Fault("the breaker is open")


@pytest.fixture
async def town(redis_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    """A room with 5,000 inside, which two processes know."""
    async with a_town(redis_url, tmp_path, a_room(max_active=CROWD)) as town:
        await town.start().join(*range(1, CROWD + 1))
        assert (await town.processes[0].turn()).admitted == CROWD
        await town.start().line.refresh()
        yield town


def kept(process: Process) -> int:
    """Return how many notes the process has that it has not told yet."""
    [line] = process.line._lines.values()  # noqa: SLF001 -- what memory it takes is told to nobody
    return len(line._notes)  # noqa: SLF001


def notes_of(log: Sequence[object]) -> Counter[int]:
    return Counter(number for entry in log if isinstance(entry, Heard) for number, _, _ in entry.notes)


async def test_a_note_is_kept_once_however_often_it_is_told(town: Town) -> None:
    process, other = town.processes
    notes = [HoldNote(ref=a_ref(number), hold_id=HoldId(number), until=FAR_OFF) for number in range(1, CROWD + 1)]
    process.refusal = AWAY

    for _ in range(TRIES):
        with pytest.raises(Fault):
            await process.line.note_holds(notes)
    assert kept(process) == CROWD
    process.refusal = None
    await process.line.refresh()

    assert kept(process) == 0
    log = await town.log()
    assert notes_of(log) == dict.fromkeys(range(1, CROWD + 1), 1)
    assert max(len(entry.notes) for entry in log if isinstance(entry, Heard)) == NOTES_AT_ONCE
    await other.line.refresh()
    held = [await other.look(number) for number in (1, CROWD // 2, CROWD)]
    # A machine that is slower than the store expects has time given back, which moves deadlines later.
    assert all(place.holds_until is not None and place.holds_until >= FAR_OFF for place in held)


async def test_of_too_many_notes_the_oldest_are_left_to_the_outbox(town: Town) -> None:
    process = town.processes[0]
    process.refusal = AWAY

    for start in range(0, NOTES_MAX + CROWD, CROWD):
        notes = [HoldNote(ref=a_ref(1), hold_id=HoldId(hold), until=FAR_OFF) for hold in range(start, start + CROWD)]
        with pytest.raises(Fault):
            await process.line.note_holds(notes)

    assert kept(process) == NOTES_MAX
    process.refusal = None
    await process.line.refresh()
    told = {hold for entry in await town.log() if isinstance(entry, Heard) for _, hold, _ in entry.notes}
    assert told == set(range(CROWD, NOTES_MAX + CROWD))


async def test_endings_wait_in_the_outbox_and_are_told_once_when_it_is_back(town: Town) -> None:
    process, other = town.processes
    events = [
        replace(paid(f"e{number:05}", order_id=number), place_number=QueueNumber(number))
        for number in range(1, CROWD + 1)
    ]
    await store(town.file, *events)
    outbox = SqlOutbox(town.file, Outlet.LINE, lease=None)
    relay = RelayEvents(
        outbox=outbox,
        publisher=InProcessPublisher(subscribers=(TellTheLine(line=process.line),)),
        clock=ManualClock(NOON),
        leads=OnlyProcess(),
    )
    process.refusal = AWAY

    for _ in range(TRIES):
        with pytest.raises(Fault):
            await relay()
    assert kept(process) <= BATCH_MAX
    assert len(await outbox.waiting(limit=2 * CROWD, at=NOON)) == CROWD
    process.refusal = None
    await process.line.refresh()
    while await relay():
        pass

    assert kept(process) == 0
    log = await town.log()
    assert Counter(number for entry in log if isinstance(entry, UsedUp) for number in entry.numbers) == dict.fromkeys(
        range(1, CROWD + 1), 1
    )
    await other.line.refresh()
    assert {await other.state(number) for number in range(1, CROWD + 1)} == {PlaceState.DONE}
    assert other.line.view(MAIN_ROOM).active == 0


async def test_notes_alone_wait_in_the_outbox_too(town: Town) -> None:
    """A hold that was paid without using the place up: nothing but a note tells of it."""
    process = town.processes[0]
    await store(town.file, replace(paid("e1"), place_over=False))
    outbox = SqlOutbox(town.file, Outlet.LINE, lease=None)
    relay = RelayEvents(
        outbox=outbox,
        publisher=InProcessPublisher(subscribers=(TellTheLine(line=process.line),)),
        clock=ManualClock(NOON),
        leads=OnlyProcess(),
    )
    process.refusal = AWAY

    with pytest.raises(Fault):
        await relay()

    assert len(await outbox.waiting(limit=9, at=NOON)) == 1
