"""A place that an operator takes away is over in one store and audited in another, which hears of it whatever fails."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.redis.client import Reply
from stagedoor.adapters.sql.audit import SqlAuditTrail
from stagedoor.adapters.sql.lanes import DatabaseFault, WriteTransaction
from stagedoor.operators.model import AuditEntry
from stagedoor.resilience.deadline import Deadline, due
from stagedoor.waiting_room.model import EndCause, PlaceState
from stagedoor.waiting_room.ports import EndPlace, PlaceEnded
from tests.builders.line import a_ref
from tests.integration_redis.lines import WAIT_S_MAX, Process, Town

REVOKE = EndPlace(ref=a_ref(1), cause=EndCause.REVOKED, by="key:ops")
PAST = Deadline(0.0)


@pytest.fixture
async def process(town: Town) -> Process:
    process = town.start()
    assert await process.join(1, 2) == [1, 2]
    return process


async def audited(town: Town) -> list[tuple[str, str, str]]:
    records = await SqlAuditTrail(town.file).newest(limit=10)
    return [(each.entry.actor, each.entry.action, each.entry.subject) for each in records]


THE_ENTRY = ("key:ops", "place.revoke", "place:main/1")


def too_late_once_it_is_over(process: Process) -> None:
    """Let the deadline of whoever ends a place pass while the store writes that down."""
    run = process.client.run

    async def slow(script: str, keys: Sequence[bytes], arguments: Sequence[bytes | str | int], *, server: str) -> Reply:
        reply = await run(script, keys, arguments, server=server)
        if script == "decide":
            # Never left: from here on it is too late for all that is done for this caller.
            due(PAST).__enter__()
        return reply

    process.client.run = slow  # type: ignore[method-assign]


async def test_an_entry_is_written_however_late_it_is_for_the_operator(town: Town, process: Process) -> None:
    too_late_once_it_is_over(process)

    [ended] = await process.line.end([REVOKE])

    assert isinstance(ended, PlaceEnded)
    assert ended.place.state is PlaceState.REVOKED
    # Behind the writing that was begun, and that nobody had time to wait for.
    assert await process.audit_pen.settle() == 0
    assert await audited(town) == [THE_ENTRY]


@asynccontextmanager
async def away(_file: SqliteFile) -> AsyncIterator[WriteTransaction]:
    raise DatabaseFault("away")
    yield


async def test_what_cannot_be_written_is_owed_and_written_once_that_can_be(
    town: Town, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = EndPlace(ref=a_ref(2), cause=EndCause.LEFT)
    with monkeypatch.context() as outage, capture_logs() as lines:
        outage.setattr(SqliteFile, "writing", away)
        ended = await process.line.end([REVOKE, leave])
    before = await audited(town)

    # Who leaves in the same batch has nothing to do with it.
    assert [type(each) for each in ended] == [PlaceEnded, PlaceEnded]
    assert [(line["actor"], line["action"], line["subject"]) for line in lines if line["event"] == "audit.owed"] == [
        THE_ENTRY
    ]
    assert before == []
    assert (await process.audit_pen.settle(), await process.audit_pen.settle()) == (1, 0)
    assert await audited(town) == [THE_ENTRY]


async def test_nobody_in_the_room_waits_for_the_audit(
    town: Town, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, may_go_on = asyncio.Event(), asyncio.Event()
    note = process.audit_pen.note

    async def slow(*entries: AuditEntry) -> bool:
        reached.set()
        await may_go_on.wait()
        return await note(*entries)

    monkeypatch.setattr(process.audit_pen, "note", slow)
    revoking = asyncio.create_task(process.line.end([REVOKE]))
    await reached.wait()
    try:
        async with asyncio.timeout(WAIT_S_MAX):
            assert await process.join(3) == [3]
        assert not revoking.done()
    finally:
        may_go_on.set()
        await revoking

    assert await audited(town) == [THE_ENTRY]
