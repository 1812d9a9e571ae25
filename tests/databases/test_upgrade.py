"""The migrations on servers: forward with data, one at a time, and again where one was interrupted."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import IntegrityError

from stagedoor.adapters.sql import dialect, schema, tables
from stagedoor.adapters.sql.migrations import building
from stagedoor.adapters.sql.server_lanes import COMMAND, ServerLanes
from stagedoor.kernel.clock import ManualClock
from tests.builders import part2
from tests.builders.part2 import LAST_SEEN_AT, the_sale_goes_on
from tests.builders.store import House


@pytest.fixture(params=["mariadb_url", "postgres_url"])
async def empty(request: pytest.FixtureRequest) -> AsyncIterator[ServerLanes]:
    """An empty database, as a command reaches it."""
    lanes = ServerLanes(request.getfixturevalue(request.param), COMMAND)
    yield lanes
    await lanes.close()


async def upgrade(lanes: ServerLanes) -> None:
    async with lanes.writing() as transaction:
        await transaction.run(schema.upgrade)
        await transaction.commit(proof=lambda _: False)


async def test_an_empty_database_gets_every_table(empty: ServerLanes) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"target_metadata": tables.metadata})
        return list(compare_metadata(context, tables.metadata))

    def foldings(connection: Connection) -> list[str]:
        if connection.dialect.name == "postgresql":
            return []
        query = text("SELECT table_name FROM information_schema.tables WHERE table_collation <> 'utf8mb4_nopad_bin'")
        ours = {table.name for table in tables.metadata.sorted_tables}
        return [name for name in connection.scalars(query) if name in ours]

    await upgrade(empty)

    assert await empty.reading(schema.current) == schema.HEAD
    assert await empty.reading(differences) == []
    assert await empty.reading(foldings) == []


async def test_of_many_who_migrate_at_once_one_does(empty: ServerLanes) -> None:
    others = [ServerLanes(empty.write_engine.url.render_as_string(hide_password=False), COMMAND) for _ in range(3)]

    await asyncio.gather(*(upgrade(lanes) for lanes in (empty, *others)))

    assert await empty.reading(schema.current) == schema.HEAD
    for lanes in others:
        await lanes.close()


async def test_what_was_in_it_is_in_it_and_the_sale_goes_on(empty: ServerLanes) -> None:
    async with empty.writing() as transaction:
        await transaction.run(part2.make)
        await transaction.commit(proof=lambda _: False)
    assert await empty.reading(schema.current) == part2.STEP

    await upgrade(empty)

    assert await empty.reading(schema.current) == schema.HEAD
    assert part2.same(await empty.reading(part2.stored), part2.rows())
    await the_sale_goes_on(House(empty, ManualClock(LAST_SEEN_AT)))


class TestInterrupted:
    """MariaDB takes no table back, PostgreSQL takes all back: either way the next attempt comes to its end."""

    async def test_in_the_first_step(self, empty: ServerLanes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dialect, "refusing_changes", _fail)
        with pytest.raises(ZeroDivisionError):
            await upgrade(empty)
        monkeypatch.undo()

        await upgrade(empty)

        assert await empty.reading(schema.current) == schema.HEAD

    async def test_in_a_later_step_nothing_is_lost(self, empty: ServerLanes, monkeypatch: pytest.MonkeyPatch) -> None:
        async with empty.writing() as transaction:
            await transaction.run(part2.make)
            await transaction.commit(proof=lambda _: False)
        create_table = building.create_table

        def but_for_leases(name: str, *elements: object, **options: bool) -> None:
            if name == "lease":
                _fail()
            create_table(name, *elements, **options)  # type: ignore[arg-type]  # whatever a migration says

        monkeypatch.setattr(building, "create_table", but_for_leases)
        with pytest.raises(ZeroDivisionError):
            await upgrade(empty)
        monkeypatch.undo()

        await upgrade(empty)

        assert await empty.reading(schema.current) == schema.HEAD
        assert part2.same(await empty.reading(part2.stored), part2.rows())


async def test_tables_of_somebody_else_are_left_alone(empty: ServerLanes) -> None:
    async with empty.writing() as transaction:
        await transaction.run(lambda connection: connection.execute(text("CREATE TABLE theirs (id INT)")).rowcount)
        await transaction.commit(proof=lambda _: False)

    with pytest.raises(schema.ForeignDatabase):
        await upgrade(empty)


async def test_a_newer_database_is_left_alone(empty: ServerLanes) -> None:
    def make_newer(connection: Connection) -> None:
        schema.upgrade(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    async with empty.writing() as transaction:
        await transaction.run(make_newer)
        await transaction.commit(proof=lambda _: False)

    with pytest.raises(schema.UnknownSchema):
        await upgrade(empty)


NEVER = (
    "UPDATE transfer SET id = id",
    "DELETE FROM transfer",
    "UPDATE audit SET id = id",
    "DELETE FROM audit",
    "INSERT INTO wallet (buyer_id, balance_won) VALUES (1, -1)",
    "INSERT INTO transfer (id, buyer_id, kind, debit, credit, amount_won, posted_at) VALUES (2, 1, 1, 'a', 'b', 0, 1)",
    "INSERT INTO transfer (id, buyer_id, kind, debit, credit, amount_won, posted_at) VALUES (2, 1, 1, 'a', 'a', 1, 1)",
    "INSERT INTO sold_seat (seat_id, purchase_id) VALUES (1, 404)",
    "INSERT INTO seat_claim (seat_id, performance_id, state, held_until) VALUES (404, 1, 1, 1)",
    "INSERT INTO clock_stop (id, alive_at) VALUES (2, 1)",
)
"""What the database itself refuses, whoever asks for it."""

WORDS = ("room", "Room", "room ", "rööm", "방")
"""Each is another one."""


async def test_the_database_keeps_what_it_is_given_and_refuses_what_can_never_be(empty: ServerLanes) -> None:
    await upgrade(empty)

    def write(connection: Connection) -> None:
        connection.execute(insert(tables.member).values(id=1, created_at=1))
        connection.execute(
            insert(tables.transfer).values(
                id=1, buyer_id=1, kind=1, debit="funding", credit="wallet:1", amount_won=1, posted_at=1
            )
        )
        connection.execute(insert(tables.audit).values(at=1, actor="a", action="b", subject="c", detail="{}"))
        connection.execute(
            insert(tables.room),
            [{"id": word, "name": word, "state": "OPEN", "version": 1, "rate": 1234.56789} for word in WORDS],
        )

    def read(connection: Connection) -> list[tuple[str, float]]:
        query = text("SELECT name, rate FROM room WHERE id = :word")
        return [(name, rate) for word in WORDS for name, rate in connection.execute(query, {"word": word})]

    async with empty.writing() as transaction:
        await transaction.run(write)
        await transaction.commit(proof=lambda _: False)

    assert await empty.reading(read) == [(word, 1234.56789) for word in WORDS]
    for statement in NEVER:
        async with empty.writing() as transaction:
            with pytest.raises(IntegrityError):
                await transaction.run(partial(_execute, statement=statement))


def _execute(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


def _fail(*_arguments: object) -> None:
    raise ZeroDivisionError
