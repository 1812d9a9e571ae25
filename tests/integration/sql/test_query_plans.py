"""What every batch reads and writes is found by index: it costs the same in a small sale and in a large one."""

import sqlite3
from collections.abc import Iterable

import pytest
from sqlalchemy import Connection, text

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql.outbox import SqlOutbox
from stagedoor.kernel.clock import ManualClock
from stagedoor.kernel.lease import Fence
from stagedoor.outbox.model import Outlet
from tests.builders.sale import ANN, BOB, NOON, a_key, charge, leave, pay, release, reserve
from tests.builders.store import House


@pytest.fixture
def house(sold_from: SqliteFile, clock: ManualClock) -> House:
    return House(sold_from, clock, for_broker=True)


@pytest.fixture
async def statements(sold_from: SqliteFile) -> set[str]:
    """What SQLite is asked to run from now on, with its parameters filled in."""
    seen: set[str] = set()

    def listen(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.set_trace_callback(seen.add)

    async with sold_from.writing() as transaction:
        await transaction.run(listen)
    seen.clear()
    return seen


async def an_evening(house: House, clock: ManualClock) -> None:
    await house.batch(
        *(reserve(number, number, key=a_key()) for number in range(1, 9)),
        reserve(9, 1),
        charge(BOB, key=a_key()),
    )
    await house.batch(pay(ANN, key=a_key()), release(BOB), leave(3), pay(404, hold_id=4), reserve(BOB, 2, hold_id=9))
    clock.advance(10**6)
    await house.tidy()
    for outlet in Outlet:
        outbox = SqlOutbox(house.lanes, outlet, lease=None)
        records = await outbox.waiting(limit=100, at=clock.now())
        await outbox.failed([records[0].event_id], at=NOON, cause="refused", fence=Fence(0))
        await outbox.published([record.event_id for record in records], at=NOON, fence=Fence(0))
    assert await house.old_events.forget(published_before=clock.now(), limit=100) > 0


async def reading_too_much(file: SqliteFile, statements: Iterable[str]) -> list[str]:
    """Return those of *statements* that read more of a table than they were asked for."""

    def steps(connection: Connection, statement: str) -> list[str]:
        return [step for *_, step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all()]

    def read(connection: Connection) -> list[str]:
        return [
            statement
            for statement in statements
            if any(_reads_too_much(step, bounded="LIMIT" in statement) for step in steps(connection, statement))
        ]

    # On the connection that changed the schema: the plan of a statement that is only explained may be out of date.
    async with file.writing() as transaction:
        return await transaction.run(read)


def _reads_too_much(step: str, *, bounded: bool) -> bool:
    # A subquery's own few rows may be read through; all rows in one state only up to a limit.
    whole_table = step.startswith("SCAN ") and "anon" not in step and "CONSTANT" not in step
    return whole_table or ("(state=?" in step and not bounded)


def about_rows(statements: set[str]) -> list[str]:
    return [one for one in statements if one.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))]


async def test_each_statement_reads_what_it_was_asked_for(
    house: House, clock: ManualClock, sold_from: SqliteFile, statements: set[str]
) -> None:
    await an_evening(house, clock)
    asked = about_rows(statements)

    assert len(asked) > 20
    assert await reading_too_much(sold_from, asked) == []


@pytest.mark.parametrize("index", ["ix_hold_state_expires_at", "ix_hold_buyer_id_state_ended_at"])
async def test_control_without_an_index_it_is_seen(
    house: House, clock: ManualClock, sold_from: SqliteFile, statements: set[str], index: str
) -> None:
    await an_evening(house, clock)
    asked = about_rows(statements)
    async with sold_from.writing() as transaction:
        await transaction.run(lambda connection: connection.execute(text(f"DROP INDEX {index}")).rowcount)
        await transaction.commit(proof=lambda _: False)

    assert await reading_too_much(sold_from, asked) != []
