"""A server whose database asks the disk for nothing."""

from pathlib import Path

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection

from stagedoor.adapters.embedded import sqlite_file
from tests.e2e.harness.removed_guard import replace, run

make_engine = sqlite_file._engine  # noqa: SLF001 -- the guard is in there


def careless_engine(path: Path, *, writes: bool) -> Engine:
    """Make the engine, and take the syncing out of its connections."""
    engine = make_engine(path, writes=writes)

    @event.listens_for(engine, "connect")
    def _never_sync(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = OFF")
        cursor.close()

    return engine


replace(sqlite_file, "_engine", careless_engine)
run()
