"""What is audited of what happened outside of the database: written once and in order, and waited for a little."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from stagedoor.adapters.bounded_lanes import BoundedLanes
from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql import audit_pen, schema
from stagedoor.adapters.sql.audit import SqlAuditTrail
from stagedoor.adapters.sql.audit_pen import SqlAuditPen
from stagedoor.kernel.clock import Instant
from stagedoor.operators.model import AuditEntry
from stagedoor.resilience.bulkhead import Bulkhead
from stagedoor.resilience.deadline import due
from tests.builders.deadlines import hers, ours


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    file = SqliteFile(tmp_path / "stagedoor.db")
    async with file.writing() as transaction:
        await transaction.run(schema.upgrade)
        await transaction.commit(proof=lambda _: False)
    yield file
    await file.close()


def entry(number: int) -> AuditEntry:
    return AuditEntry(at=Instant(number), actor="key:ops", action="breaker.close", subject=str(number), detail={})


async def written(file: SqliteFile) -> list[str]:
    return [record.entry.subject for record in reversed(await SqlAuditTrail(file).newest(limit=10))]


def in_time(file: SqliteFile) -> BoundedLanes:
    """Return lanes into *file* that begin nothing for somebody after her deadline, as a server's do."""
    return BoundedLanes(
        file,
        writes=Bulkhead("writes", at_once=1, waiting_max=10),
        reads=Bulkhead("reads", at_once=1, waiting_max=10),
    )


async def test_who_has_no_time_left_waits_for_nothing_and_the_entry_is_written(file: SqliteFile) -> None:
    pen = SqlAuditPen(in_time(file))

    with due(ours(-1.0)):
        is_stored = await pen.note(entry(1))

    assert (is_stored, await pen.settle()) == (False, 0)
    assert await written(file) == ["1"]


async def test_control_what_goes_by_her_deadline_is_not_begun(
    file: SqliteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_pen, "due", lambda _: nullcontext())
    pen = SqlAuditPen(in_time(file))

    with due(ours(-1.0)):
        is_stored = await pen.note(entry(1))

    assert (is_stored, await written(file)) == (False, [])
    assert await pen.settle() == 1


@pytest.mark.parametrize("deadline", [None, 0.1], ids=["none", "hers"])
async def test_while_the_database_hangs_entries_are_owed_and_then_written_once_and_in_order(
    file: SqliteFile, monkeypatch: pytest.MonkeyPatch, deadline: float | None
) -> None:
    monkeypatch.setattr(audit_pen, "PATIENCE_S", 0.05)
    pen = SqlAuditPen(file)

    with capture_logs() as lines:
        async with file.writing():
            with due(None if deadline is None else hers(deadline)):
                stored = await asyncio.gather(pen.note(entry(1)), pen.note(entry(2), entry(3)))
    rest = await pen.settle()

    assert (*stored, rest) == (False, False, 0)
    assert await written(file) == ["1", "2", "3"]
    # Whose patience ends first is the timers' affair.
    owed = sorted((line["subject"], line["cause"].rpartition(" within ")[0]) for line in lines)
    assert owed == [("1", "not stored"), ("2", "not stored"), ("3", "not stored")]


async def test_a_caller_who_goes_takes_no_entry_with_her(file: SqliteFile) -> None:
    pen = SqlAuditPen(file)
    async with file.writing():
        noting = asyncio.ensure_future(pen.note(entry(1)))
        await asyncio.sleep(0)
        noting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await noting

    assert await pen.settle() == 0
    assert await written(file) == ["1"]
