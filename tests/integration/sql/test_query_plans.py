"""What every batch reads and writes is found by index: it costs the same in a small sale and in a large one."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.kernel.clock import ManualClock
from stagedoor.kernel.ids import EventId
from tests.builders.sale import ANN, BOB, NOON, a_key, charge, leave, pay, release, reserve
from tests.builders.store import House

Statements = dict[str, tuple[Any, ...]]


@pytest.fixture
def statements(sold_from: SqliteFile) -> Iterator[Statements]:
    """What is handed to the driver from now on, each with one set of its parameters."""
    seen: Statements = {}

    def see(
        _connection: Connection,
        _cursor: object,
        statement: str,
        parameters: Sequence[Any],
        _context: object,
        executemany: bool,  # noqa: FBT001
    ) -> None:
        if not statement.startswith(("BEGIN", "EXPLAIN")):
            seen[statement] = tuple(parameters[0]) if executemany else tuple(parameters)

    event.listen(sold_from.write_engine, "before_cursor_execute", see)
    yield seen
    event.remove(sold_from.write_engine, "before_cursor_execute", see)


async def an_evening(house: House, clock: ManualClock) -> None:
    await house.batch(
        *(reserve(number, number, key=a_key()) for number in range(1, 9)),
        reserve(9, 1),
        charge(BOB, key=a_key()),
    )
    await house.batch(pay(ANN, key=a_key()), release(BOB), leave(3), pay(404, hold_id=4), reserve(BOB, 2, hold_id=9))
    clock.advance(10**6)
    await house.tidy()
    records = await house.outbox.waiting(limit=100, at=clock.now())
    await house.outbox.failed([EventId(records[0].event.event_id)], at=NOON, cause="refused")
    await house.outbox.published([record.event.event_id for record in records], at=NOON)


async def reading_too_much(file: SqliteFile, statements: Statements) -> list[str]:
    """Return those of *statements* that read more of a table than they were asked for."""

    def steps(connection: Connection, statement: str) -> list[str]:
        explained = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", statements[statement])
        return [step for *_, step in explained.all()]

    def read(connection: Connection) -> list[str]:
        return [
            statement
            for statement in list(statements)
            if any(_reads_too_much(step, bounded="LIMIT" in statement) for step in steps(connection, statement))
        ]

    # On the connection that changed the schema: the plan of a statement that is only explained may be out of date.
    async with file.writing() as transaction:
        return await transaction.run(read)


def _reads_too_much(step: str, *, bounded: bool) -> bool:
    # A subquery's own few rows may be read through; all rows in one state only up to a limit.
    whole_table = step.startswith("SCAN ") and "anon" not in step and "CONSTANT" not in step
    return whole_table or ("(state=?" in step and not bounded)


async def test_each_statement_reads_what_it_was_asked_for(
    house: House, clock: ManualClock, sold_from: SqliteFile, statements: Statements
) -> None:
    await an_evening(house, clock)

    assert len(statements) > 20
    assert await reading_too_much(sold_from, statements) == []


@pytest.mark.parametrize("index", ["ix_hold_state_expires_at", "ix_hold_buyer_id_state_ended_at"])
async def test_control_without_an_index_it_is_seen(
    house: House, clock: ManualClock, sold_from: SqliteFile, statements: Statements, index: str
) -> None:
    await an_evening(house, clock)
    asked = dict(statements)
    async with sold_from.writing() as transaction:
        await transaction.run(lambda connection: connection.execute(text(f"DROP INDEX {index}")).rowcount)
        await transaction.commit(proof=lambda _: False)

    assert await reading_too_much(sold_from, asked) != []
