"""
A database as release 0.1 left it: schema 0001, and what a short evening wrote into it.

`part2.json` was copied, table by table, out of the SQLite file of a server of
that release: nine buyers joined, five held seats, two of them paid, one
released, one left; the server was killed and came back; an operator changed the
room and made two keys. Before that, twelve members and twenty seats were seeded.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alembic import command
from sqlalchemy import Boolean, Connection, MetaData, insert, select, text

from stagedoor.adapters.sql import schema
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId, HoldId, PerformanceId
from tests.builders.sale import kinds, pay, reserve
from tests.builders.store import House

LAST_SEEN_AT = Instant(1_795_924_990_000)
"""Shortly after the server was stopped: buyer 4 still holds two seats."""

STEP = "0001"

Rows = Mapping[str, list[Mapping[str, Any]]]


def rows() -> Rows:
    """Return the rows of each table, in an order in which they can be written."""
    stored = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return {
        table: [
            {name: _value(value) for name, value in zip(content["columns"], row, strict=True)}
            for row in content["rows"]
        ]
        for table, content in stored.items()
    }


def make(connection: Connection) -> None:
    """Make that database in an empty one."""
    command.upgrade(schema.config_for(connection), STEP)
    tables = MetaData()
    tables.reflect(connection)
    for name, content in rows().items():
        table = tables.tables[name]
        switches = {column.name for column in table.c if isinstance(column.type, Boolean)}
        for row in content:
            connection.execute(
                insert(table).values({key: bool(value) if key in switches else value for key, value in row.items()})
            )
    if connection.dialect.name == "postgresql":
        # As if they had been numbered here.
        for name, column in (("outage", "id"), ("audit", "id"), ("outbox", "sequence"), ("admission_pass", "sequence")):
            connection.execute(
                text(f"SELECT setval(pg_get_serial_sequence('{name}', '{column}'), (SELECT MAX({column}) FROM {name}))")  # noqa: S608 -- names from above
            )


def stored(connection: Connection) -> Rows:
    """Return what is in those tables now, in those columns."""
    tables = MetaData()
    tables.reflect(connection)
    found: dict[str, list[Mapping[str, Any]]] = {}
    for name, content in rows().items():
        columns = [tables.tables[name].c[column] for column in content[0]] if content else []
        found[name] = [row._asdict() for row in connection.execute(select(*columns))] if columns else []
    return found


def same(one: Rows, other: Rows) -> bool:
    """Tell whether both hold the same rows, in any order."""
    return {name: _sorted(content) for name, content in one.items()} == {
        name: _sorted(content) for name, content in other.items()
    }


def _sorted(content: list[Mapping[str, Any]]) -> list[list[tuple[str, Any]]]:
    return sorted((sorted(row.items()) for row in content), key=repr)


def _value(value: Any) -> Any:  # noqa: ANN401 -- whatever a column has
    return bytes.fromhex(value["bytes"]) if isinstance(value, dict) else value


async def the_sale_goes_on(house: House) -> None:
    """Check the database, and that what was held can be paid for and what is free be had."""
    await house.check()
    held = HoldId(2_847_817_104_767_974)
    outcomes = await house.batch(
        pay(4, hold_id=held), reserve(6, 20, hold_id=1, performance_id=PerformanceId(1)), reserve(7, 5, hold_id=2)
    )

    assert kinds(outcomes) == ["Settled", "Settled", "SeatsTaken"]
    assert await house.wallets.balance(BuyerId(4)) == 200_000
    await house.check()
