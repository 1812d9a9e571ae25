"""The programme of `tests.builders.sale` in a database of a server, and how it gets back to that."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Connection, inspect, text

from stagedoor.adapters.sql import schema
from stagedoor.adapters.sql.server_lanes import COMMAND, SERVING, LaneLimits, ServerLanes
from tests.builders.store import lay_out

KEPT = frozenset({"alembic_version"})


async def prepare(url: str) -> None:
    """Make the tables in the empty database at *url*."""
    lanes = ServerLanes(url, COMMAND)
    async with lanes.writing() as transaction:
        await transaction.run(schema.upgrade)
        await transaction.commit(proof=lambda _: False)
    await lanes.close()


@asynccontextmanager
async def open_server(url: str, limits: LaneLimits = SERVING) -> AsyncIterator[ServerLanes]:
    """Open the database at *url*, with the programme in it and nothing sold, whatever was in its tables before."""
    lanes = ServerLanes(url, limits)
    try:
        async with lanes.writing() as transaction:
            await transaction.run(empty)
            await transaction.run(lay_out)
            await transaction.commit(proof=lambda _: False)
        yield lanes
    finally:
        await lanes.close()


def empty(connection: Connection) -> None:
    """Take every row out of every table, and number the next ones from 1; their triggers let nobody else do so."""
    tables = [name for name in inspect(connection).get_table_names() if name not in KEPT]
    _EMPTY[connection.dialect.name](connection, tables)


def _empty_mariadb(connection: Connection, tables: list[str]) -> None:
    used = [name for name in tables if connection.execute(text(f"SELECT 1 FROM {name} LIMIT 1")).first()]  # noqa: S608
    connection.execute(text("SET SESSION foreign_key_checks = 0"))
    for name in used:
        connection.execute(text(f"TRUNCATE {name}"))
    connection.execute(text("SET SESSION foreign_key_checks = 1"))


def _empty_postgresql(connection: Connection, tables: list[str]) -> None:
    for name in ("audit", "transfer"):
        connection.execute(text(f"ALTER TABLE {name} DISABLE TRIGGER {name}_refuses"))
    connection.execute(text(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY"))
    for name in ("audit", "transfer"):
        connection.execute(text(f"ALTER TABLE {name} ENABLE TRIGGER {name}_refuses"))


_EMPTY = {"mariadb": _empty_mariadb, "postgresql": _empty_postgresql}
