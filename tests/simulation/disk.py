"""The database's file and what can go wrong with it: a commit that fails or has no answer, a slow or a dead disk."""

import sqlite3
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path

from sqlalchemy import Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import PoolProxiedConnection

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from tests.simulation.virtual_time import LATENCY_S, VirtualLoop

OUT_OF_SIGHT_MAX = 3
"""At most so many transactions cannot begin after a commit that was lost sight of."""


class Commit(Enum):
    """How a commit goes."""

    GOES = auto()
    FAILS = auto()
    """It has not happened, and says so."""
    LOSES_ITS_ANSWER = auto()
    """It has happened, and says it has not."""
    LOSES_SIGHT = auto()
    """The same, and for a while nobody can look it up."""


class Disk:
    """
    One life's access to the file.

    *commits* is how the next commits go, *locked* how many of the next
    transactions cannot even begin, *dies_after* the moments until the process
    dies: each step of the database has one before and one after it.
    """

    def __init__(self, path: Path) -> None:
        """Point at *path*."""
        self.file = SqliteFile(path)
        self.commits: deque[Commit] = deque()
        self.locked = 0
        self.latency_s = LATENCY_S
        self.dies_after: int | None = None
        self.on_death: Callable[[], object] = lambda: None
        self._lost = 0
        self._loop: VirtualLoop | None = None
        self._writing: DBAPIConnection | None = None
        engine = self.file.write_engine
        self._really_commit = engine.dialect.do_commit
        engine.dialect.do_commit = self._commit  # type: ignore[method-assign]  # where a commit fails
        event.listen(engine, "connect", self._connected)
        for each in (engine, self.file._read_engine):  # noqa: SLF001 -- what is read can fail as well
            event.listen(each, "begin", self._begun, insert=True)

    def attach(self, loop: VirtualLoop) -> None:
        """Serve *loop*."""
        self._loop = loop
        loop.latency_s = lambda: self.latency_s
        loop.before_step = loop.after_step = self._step

    def die(self) -> None:
        """End the process at once: what is not committed is gone, and nothing more is done."""
        assert self._loop is not None
        self._loop.die()
        if self._writing is not None:
            self._writing.rollback()
        self.on_death()

    def close(self) -> None:
        """Let go of the file."""
        self.file.write_engine.dispose()
        self.file._read_engine.dispose()  # noqa: SLF001 -- its own `close` needs a loop that lives

    def _connected(self, connection: DBAPIConnection, _record: object) -> None:
        self._writing = connection
        cursor = connection.cursor()
        # What a loss of power does is not simulated, so no time is lost on it.
        cursor.execute("PRAGMA synchronous = OFF")
        cursor.close()

    def _begun(self, _connection: Connection) -> None:
        if self.locked > 0:
            self.locked -= 1
            raise OperationalError("BEGIN", None, sqlite3.OperationalError("database is locked"))

    def _commit(self, dbapi_connection: PoolProxiedConnection) -> None:
        how = self.commits.popleft() if self.commits else Commit.GOES
        if how is Commit.FAILS:
            raise sqlite3.OperationalError("database or disk is full")
        self._really_commit(dbapi_connection)
        if how is Commit.LOSES_SIGHT:
            self.locked = 1 + self._lost % OUT_OF_SIGHT_MAX
            self._lost += 1
        if how is not Commit.GOES:
            raise sqlite3.OperationalError("disk I/O error")

    def _step(self) -> None:
        if self.dies_after is None:
            return
        self.dies_after -= 1
        if self.dies_after <= 0:
            self.dies_after = None
            self.die()
