"""
One SQLite file: a single connection that writes, in a thread of its own, and a few that read.

A commit is durable when it returns: WAL with `synchronous=FULL` syncs the log
before COMMIT answers. Only one process may serve from a file; a lock file
beside it says so.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import QueuePool, StaticPool

from stagedoor.adapters.sql import driver
from stagedoor.adapters.sql.lanes import DatabaseFault, DatabaseFull, Lanes, Step, WriteTransaction

T = TypeVar("T")

WRITERS = 1
READERS = 2
BUSY_TIMEOUT_MS = 5_000
FILE_MODE = 0o600


class FileInUse(Exception):  # noqa: N818 -- it becomes a sentence to the operator
    """Another process serves from this file."""


class LogWithoutDatabase(Exception):  # noqa: N818 -- as above
    """There is a log, and the database that it belongs to is gone: one made in its place would destroy the log."""


def _engine(path: Path, *, writes: bool) -> Engine:
    engine = create_engine(
        # Not as text: a path may hold what a URL takes for the start of its query.
        URL.create("sqlite", database=str(path)),
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1_000},
        **({"poolclass": StaticPool} if writes else {"poolclass": QueuePool, "pool_size": READERS}),
    )

    @event.listens_for(engine, "do_connect")
    def _make_private(*_connecting: object) -> None:
        # What is in it is nobody else's business; SQLite gives the files beside it the same mode. Once it is there
        # it is never opened and closed here: that would take this process's locks off it.
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE))

    @event.listens_for(engine, "connect")
    def _set_up(connection: DBAPIConnection, _record: object) -> None:
        # The driver's own transaction handling is off: BEGIN is ours to say, below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "fullfsync = ON",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -65536",
            # Four times the default: random keys dirty many pages, and copying them back that often cost a sixth of a
            # commit under load.
            "wal_autocheckpoint = 4000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # IMMEDIATE takes the write lock before anything is read, so what was read still holds when it is written.
        driver.write(connection, "BEGIN IMMEDIATE" if writes else "BEGIN", ())

    return engine


class ServingLock:
    """
    Held by the one process that serves from the file; released by the kernel however that process ends.

    It lies beside the file itself, whatever symbolic links lead there.
    """

    def __init__(self, database: Path) -> None:
        """Take the lock or raise `FileInUse`."""
        itself = database.resolve()
        path = itself.with_name(itself.name + ".lock")
        self._file = path.open("a")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                raise FileInUse(database) from error
            raise

    def release(self) -> None:
        """Let another process serve."""
        self._file.close()


class _Transaction(WriteTransaction):
    def __init__(self, file: "SqliteFile") -> None:
        self._file = file
        self.connection: Connection | None = None

    def open(self) -> None:
        connection = self._file.write_engine.connect()
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        self.connection = connection

    def close(self) -> None:
        """Undo what was not committed; harmless after a commit."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    async def run(self, step: Step[T]) -> T:
        return await self._file.in_writer(lambda: step(self._connection()))

    async def commit(self, *, proof: Step[bool]) -> None:
        try:
            await self._file.in_writer(self._commit_and_close)
        except DatabaseFault:
            await self._file.in_writer(self.close)
            await self._file.in_writer(self.open)
            if not await self._file.in_writer(lambda: proof(self._connection())):
                raise

    def _commit_and_close(self) -> None:
        # One trip to the writer's thread instead of two.
        self._connection().commit()
        self.close()

    def _connection(self) -> Connection:
        assert self.connection is not None
        return self.connection


class SqliteFile(Lanes):
    """The lanes into one SQLite file."""

    def __init__(self, path: Path) -> None:
        """Point at *path*; nothing is opened before it is used. Raises `LogWithoutDatabase`."""
        _refuse_log_alone(path.resolve())
        self.path = path
        self.write_engine = _engine(path, writes=True)
        self._read_engine = _engine(path, writes=False)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        """Open a transaction on the one connection that writes; others wait for their turn."""
        async with self._turn:
            transaction = _Transaction(self)
            try:
                await self.in_writer(transaction.open)
                yield transaction
            except BaseException:
                # Also after a cancellation: the writer's thread takes its work in order, so this comes after
                # whatever step was still running.
                await asyncio.shield(self.in_writer(transaction.close))
                raise
            if transaction.connection is not None:
                await asyncio.shield(self.in_writer(transaction.close))

    async def reading(self, step: Step[T]) -> T:
        """Run *step* on a reading connection."""

        def read() -> T:
            with self._read_engine.connect() as connection, connection.begin():
                return step(connection)

        return await _translated(self._readers, read)

    async def in_writer(self, work: Callable[[], T]) -> T:
        """Run *work* in the writer's thread, after whatever it was given before."""
        return await _translated(self._writer, work)

    async def close(self) -> None:
        """Close every connection; what was committed is in the file."""
        async with self._turn:
            await self.in_writer(self.write_engine.dispose)
            self._writer.shutdown()
            self._readers.shutdown()
            self._read_engine.dispose()


def _refuse_log_alone(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    if _size(log) and not _size(path):
        raise LogWithoutDatabase(log)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


async def _translated(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, work)
    except IntegrityError:
        # A constraint that had to refuse a write is our own bug, not the database's.
        raise
    except DBAPIError as error:
        is_full = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        raise (DatabaseFull if is_full else DatabaseFault)(str(error.orig)) from error
