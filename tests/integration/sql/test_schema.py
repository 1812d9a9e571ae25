"""The migrations build exactly the tables the code speaks of, once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import IntegrityError

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql import schema, tables


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    file = SqliteFile(tmp_path / "a new one.db")
    with file.write_engine.connect() as opened:
        opened.begin()
        yield opened
    file.write_engine.dispose()


def test_an_empty_database_gets_every_table(connection: Connection) -> None:
    assert schema.current(connection) is None

    schema.upgrade(connection)

    assert schema.current(connection) == schema.HEAD
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": tables.metadata}
    )
    assert compare_metadata(context, tables.metadata) == []


def test_what_is_not_compared_is_the_same_too(connection: Connection, tmp_path: Path) -> None:
    """The comparison knows nothing of checks, of foreign keys' targets, or of tables without a row number."""
    schema.upgrade(connection)
    file = SqliteFile(tmp_path / "as the code says.db")
    with file.write_engine.connect() as other, other.begin():
        tables.metadata.create_all(other)
        said = _statements(other)
    file.write_engine.dispose()

    assert _statements(connection) == said


def _statements(connection: Connection) -> dict[str, list[str]]:
    rows = connection.execute(
        text("SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL")
    )
    return {name: _parts(sql) for name, sql in rows if not name.startswith("alembic")}


def _parts(sql: str) -> list[str]:
    """Take a statement apart: the order of a table's constraints is free."""
    head, rest = sql.split("(", 1)
    body, tail = rest.rsplit(")", 1)
    return [head.strip(), *sorted(" ".join(part.split()) for part in body.split(", \n")), tail.strip()]


def test_at_the_head_nothing_is_run(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    schema.upgrade(connection)

    def never(*_arguments: object) -> None:
        raise AssertionError("there was nothing to do")

    monkeypatch.setattr("alembic.command.upgrade", never)
    schema.upgrade(connection)


def test_the_head_is_the_last_step(connection: Connection) -> None:
    assert ScriptDirectory.from_config(schema.config_for(connection)).get_current_head() == schema.HEAD


def test_an_upgrade_that_is_not_committed_has_not_happened(connection: Connection) -> None:
    schema.upgrade(connection)

    connection.rollback()

    assert schema.current(connection) is None


def test_a_newer_database_is_left_alone(connection: Connection) -> None:
    schema.upgrade(connection)
    connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(schema.UnknownSchema) as refusal:
        schema.upgrade(connection)

    assert refusal.value.found == "9999"


@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["transfer", "audit"])
def test_money_and_audit_are_only_ever_added_to(connection: Connection, table: str, statement: str) -> None:
    schema.upgrade(connection)
    connection.execute(
        insert(tables.transfer).values(
            id=1, buyer_id=1, kind=1, debit="funding", credit="wallet:1", amount_won=1, posted_at=1
        )
    )
    connection.execute(insert(tables.audit).values(at=1, actor="a", action="b", subject="c", detail="{}"))

    with pytest.raises(IntegrityError, match="append-only"):
        connection.execute(text(statement.format(table)))


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("wallet", "(buyer_id, balance_won) VALUES (1, -1)"),
        ("transfer", "(id, buyer_id, kind, debit, credit, amount_won, posted_at) VALUES (1, 1, 1, 'a', 'b', 0, 1)"),
        ("transfer", "(id, buyer_id, kind, debit, credit, amount_won, posted_at) VALUES (1, 1, 1, 'a', 'a', 1, 1)"),
        ("sold_seat", "(seat_id, purchase_id) VALUES (1, 404)"),
        ("seat_claim", "(seat_id, performance_id, state, held_until) VALUES (404, 1, 1, 1)"),
        ("clock_stop", "(id, alive_at) VALUES (2, 1)"),
    ],
)
def test_the_database_itself_refuses_what_can_never_be(connection: Connection, table: str, values: str) -> None:
    schema.upgrade(connection)
    connection.execute(insert(tables.member).values(id=1, created_at=1))

    with pytest.raises(IntegrityError):
        connection.execute(text(f"INSERT INTO {table} {values}"))
