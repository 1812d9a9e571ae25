"""
A database server: some connections that write, some that read, and everything about them bounded.

The steps are the same synchronous functions that a file's threads run. Here
they run on the event loop, in a greenlet of SQLAlchemy's, which gives way
whenever the driver waits for the server.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar, TypeVarTuple

from sqlalchemy import Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import greenlet_spawn

from stagedoor.adapters.in_time import in_time
from stagedoor.adapters.resets import was_reset
from stagedoor.adapters.sql.lanes import DatabaseFault, DatabaseFull, Lanes, RolledBack, Step, WriteTransaction
from stagedoor.adapters.sql.server_dialect import DIALECTS, Failure, ServerDialect
from stagedoor.adapters.sql.server_url import UnfitURL, server_url
from stagedoor.kernel.clock import HOUR_MS, SECOND_MS
from stagedoor.kernel.errors import DeadlineMissed
from stagedoor.resilience.deadline import due
from stagedoor.resilience.retry import RetryBudget, pause_s

T = TypeVar("T")
Given = TypeVarTuple("Given")

WRITING_AT: Final = "READ COMMITTED"
"""Whoever waited for a lock decides on what was committed meanwhile, not on how it was when he began to wait."""

READING_AT: Final = "REPEATABLE READ"
"""A read of several statements shows one instant."""

TRIES_MAX: Final = 6
"""How often a transaction is begun in which the database has undone the first step, within its deadline."""

REST_S: Final = 0.005
"""The longest rest before the second try, a random part of which is taken; it doubles with each further one."""

PROOF_S: Final = 5.0
"""How long it may take, after its deadline if need be, to find out whether a commit has happened."""

UNDO_S: Final = 1.0
"""How long a server may take to undo what was not committed, before its connection is cut."""


class ConnectionLost(DatabaseFault):
    """The server ended the connection, or is not there any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLimits:
    """
    What a server's lanes may take: *writers* and *readers* connections at most, and *deadline_ms* a transaction.

    The wait for a connection is part of a transaction. *statement_ms* and
    *lock_ms* are kept by the server itself, and less than the deadline, so that
    a connection outlives the statement that was given up.
    """

    writers: int
    readers: int
    deadline_ms: int
    statement_ms: int
    lock_ms: int

    def __post_init__(self) -> None:
        """Refuse what would leave a lane without connections, or a server waiting longer than its caller."""
        assert self.writers > 0
        assert self.readers > 0
        assert 0 < self.lock_ms <= self.statement_ms < self.deadline_ms


SERVING: Final = LaneLimits(writers=4, readers=4, deadline_ms=5_000, statement_ms=4_000, lock_ms=3_000)
"""For a process that serves."""

COMMAND: Final = LaneLimits(writers=1, readers=1, deadline_ms=2 * HOUR_MS, statement_ms=HOUR_MS, lock_ms=30 * SECOND_MS)
"""For a command that one person waits for: it may fill or change whole tables, and holds nobody up for long."""


class ServerLanes(Lanes):
    """
    The lanes into one database of a MariaDB or PostgreSQL server.

    A connection is waited for until the deadline of whoever asks, and no longer
    than *limits* allow. What has begun on it has as long as these say: a server
    goes on with a statement whose connection is cut, so that to cut it would
    save nothing and cost a connection.
    """

    def __init__(self, url: str, limits: LaneLimits = SERVING) -> None:
        """Point at the database *url*; nothing is opened before it is used. Raises `UnfitURL`."""
        self.limits = limits
        self.dialect = DIALECTS[server_url(url)[0].get_backend_name()]
        self.budget = RetryBudget()
        self.write_engine = _engine(url, self.dialect, limits, writes=True)
        self._read_engine = _engine(url, self.dialect, limits, writes=False)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        """Open a transaction at READ COMMITTED."""
        transaction = _Transaction(self)
        try:
            await transaction.begin()
            yield transaction
        finally:
            await transaction.close()

    async def reading(self, step: Step[T]) -> T:
        """Run *step* on one state of the database, in which nothing can be written."""
        session = _Session(self._read_engine, self.dialect, self.budget)
        try:
            async with _until(self.deadline()):
                return await session.run_first(step)
        finally:
            await session.close()

    async def refuse_unfit(self) -> None:
        """Raise `UnfitURL` where the server is of another kind than its URL says, or too old; `Fault` if it is away."""
        try:
            found = await self.reading(lambda connection: connection.dialect.server_version_info or ())
        except InvalidRequestError as error:
            raise UnfitURL(f"the server is no {self.dialect.name}") from error
        if found < self.dialect.oldest:
            said, needed = (".".join(str(part) for part in version) for version in (found, self.dialect.oldest))
            raise UnfitURL(f"the server is {self.dialect.name} {said}, and {needed} is the oldest that will do")

    async def close(self) -> None:
        """Close every connection."""
        await self.write_engine.dispose()
        await self._read_engine.dispose()

    def deadline(self) -> float:
        """Return when whatever begins now has to have ended, by the event loop's clock."""
        return _in(self.limits.deadline_ms / SECOND_MS)


class _Transaction(WriteTransaction):
    def __init__(self, lanes: ServerLanes) -> None:
        self._lanes = lanes
        self._session = _Session(lanes.write_engine, lanes.dialect, lanes.budget)
        self._deadline = lanes.deadline()
        self._has_run = False

    async def begin(self) -> None:
        async with _until(self._deadline):
            await self._session.open()

    async def close(self) -> None:
        """Undo what was not committed; does nothing after a commit."""
        await self._session.close()

    async def run(self, step: Step[T]) -> T:
        run = self._session.run if self._has_run else self._session.run_first
        async with _until(self._deadline):
            outcome = await run(step)
        self._has_run = True
        return outcome

    async def commit(self, *, proof: Step[bool]) -> None:
        try:
            async with _until(self._deadline):
                await self._session.commit()
        except (DatabaseFault, DeadlineMissed):
            # However late it is for whoever asked.
            with due(None):
                is_done = await asyncio.shield(self._is_done(proof))
            if not is_done:
                raise

    async def _is_done(self, proof: Step[bool]) -> bool:
        """Ask for the proof once the session is over for good: what it has not done by then, it never will."""
        ended = self._session.number
        await self._session.discard()
        dialect = self._lanes.dialect
        asking = _Session(self._lanes.write_engine, dialect, self._lanes.budget)
        try:
            async with _until(_in(PROOF_S)):
                await asking.run_first(lambda connection: dialect.end_session(connection, ended))
                while await asking.run_first(lambda connection: dialect.has_session(connection, ended)):
                    await asking.begin_anew()
                    await asyncio.sleep(REST_S)
                return await asking.run_first(proof)
        finally:
            await asking.close()


class _Session:
    """
    One connection while it is ours, and the transaction on it.

    What is done to it at one time is done in one greenlet: each costs as much as many a statement.
    """

    def __init__(self, engine: AsyncEngine, dialect: ServerDialect, budget: RetryBudget) -> None:
        self._engine = engine
        self._budget = budget
        self._dialect = dialect
        self._connection: Connection | None = None
        self._is_broken = False
        self.number = 0

    async def open(self) -> None:
        """Take a connection, one of the pool or a new one, and begin a transaction."""
        self._is_broken = False
        async with in_time():
            await self._told(self._take)

    async def run(self, step: Step[T]) -> T:
        """Run *step*. Raises `RolledBack`, `ConnectionLost` or another `DatabaseFault`."""
        assert self._connection is not None
        return await self._told(step, self._connection)

    async def run_first(self, step: Step[T]) -> T:
        """
        Run the first step of a transaction; again, where that was undone or its connection was a dead one.

        After a rest, and not in step with others. Dead ones within a budget: a server that drops every connection is
        not to be asked six times as often. What was undone needs no budget: whoever it was undone for went through.
        """
        self._budget.call()
        tries = 0
        while True:
            if self._connection is None:
                await self.open()
            try:
                return await self.run(step)
            except ConnectionLost:
                # After the server was away, all connections in the pool are dead ones.
                tries += 1
                if tries > TRIES_MAX or not self._budget.may_retry():
                    raise
                await self.discard()
            except RolledBack:
                tries += 1
                if tries > TRIES_MAX:
                    raise
                await self.begin_anew()
            await asyncio.sleep(pause_s(tries, base_s=2 * REST_S, random=random.random))

    async def begin_anew(self) -> None:
        """Undo the transaction and begin another one."""
        assert self._connection is not None
        await self._told(self._begin_anew, self._connection)

    async def commit(self) -> None:
        """Commit the transaction, if that is what the server says, and give the connection back."""
        assert self._connection is not None
        await self._told(self._commit, self._connection)

    async def close(self) -> None:
        """
        Undo what is open and give the connection back; cut it where nobody knows what it is in the middle of.

        Nobody else may get such a one, so it is cut as well where whoever closes is cancelled meanwhile.
        """
        if self._connection is None:
            return
        try:
            if not self._is_broken:
                with contextlib.suppress(DatabaseFault, DeadlineMissed):
                    async with _until(_in(UNDO_S)):
                        await self._told(self._undo, self._connection)
        finally:
            await self.discard()

    async def discard(self) -> None:
        """Cut the connection, if there still is one, without a word to a server that may not answer: nobody waits."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await greenlet_spawn(_cut, connection)

    def _take(self) -> None:
        self._connection = connection = self._engine.sync_engine.connect()
        self._begin(connection)

    def _begin(self, connection: Connection) -> None:
        connection.begin()
        self.number = self._dialect.number_of(connection.connection.driver_connection)

    def _begin_anew(self, connection: Connection) -> None:
        self._end(connection.rollback)
        self._begin(connection)

    def _commit(self, connection: Connection) -> None:
        self._end(connection.commit)
        self._give_back(connection)

    def _undo(self, connection: Connection) -> None:
        self._end(connection.rollback)
        self._give_back(connection)

    def _end(self, end: Callable[[], None]) -> None:
        # SQLAlchemy takes the transaction for over whatever the server says, and would say nothing a second time.
        self._is_broken = True
        end()
        self._is_broken = False

    def _give_back(self, connection: Connection) -> None:
        self._connection = None
        connection.close()

    async def _told(self, ask: Callable[[*Given], T], *given: *Given) -> T:
        try:
            return await greenlet_spawn(ask, *given)
        except DBAPIError as error:
            raise self._named(error) from error
        except OSError as error:
            self._is_broken = True
            raise ConnectionLost(str(error)) from error
        except RuntimeError as error:
            if not was_reset(error):
                raise
            self._is_broken = True
            raise ConnectionLost(str(error)) from error
        except asyncio.CancelledError:
            # In the middle of a question, or of its answer.
            self._is_broken = True
            raise

    def _named(self, error: DBAPIError) -> Exception:
        match self._dialect.failure(error.orig):
            case Failure.REFUSED:
                assert error.orig is not None
                return IntegrityError(error.statement, None, error.orig, hide_parameters=True)
            case Failure.UNDONE:
                return RolledBack(str(error.orig))
            case Failure.LOST:
                self._is_broken = True
                return ConnectionLost(str(error.orig))
            case Failure.FULL:
                return DatabaseFull(str(error.orig))
            case Failure.OTHER:
                if error.connection_invalidated or self._is_lost(error):
                    self._is_broken = True
                    return ConnectionLost(str(error.orig))
                return DatabaseFault(str(error.orig))

    def _is_lost(self, error: DBAPIError) -> bool:
        if self._connection is None or not isinstance(error.orig, self._engine.dialect.loaded_dbapi.Error):
            return False
        return self._connection.invalidated or self._engine.dialect.is_disconnect(
            error.orig, self._connection.connection.dbapi_connection, None
        )


def _cut(connection: Connection) -> None:
    if not connection.invalidated:
        connection.invalidate()
    connection.close()


def _engine(url: str, dialect: ServerDialect, limits: LaneLimits, *, writes: bool) -> AsyncEngine:
    address, tls = server_url(url)
    # MariaDB notes at every table that it names primary keys by itself; asyncmy logs each note as a warning.
    logging.getLogger("asyncmy").setLevel(logging.ERROR)
    engine = create_async_engine(
        address,
        connect_args=dict(dialect.connect_arguments(tls)),
        isolation_level=WRITING_AT if writes else READING_AT,
        hide_parameters=True,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=limits.writers if writes else limits.readers,
        max_overflow=0,
        # Whoever waits for a connection has a deadline, which is earlier.
        pool_timeout=2 * limits.deadline_ms / SECOND_MS,
        # What is given back was committed or undone.
        pool_reset_on_return=None,
    )

    def cut(connection: DBAPIConnection) -> None:
        # A server that does not answer is not asked whether it minds: SQLAlchemy would wait for two seconds.
        dialect.cut(engine.dialect.get_driver_connection(connection))

    engine.dialect.do_terminate = cut  # type: ignore[method-assign, assignment]

    @event.listens_for(engine.sync_engine, "connect")
    def _set_up(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        for statement in dialect.set_up(
            statement_ms=limits.statement_ms, lock_ms=limits.lock_ms, idle_ms=limits.deadline_ms, writes=writes
        ):
            cursor.execute(statement)
        cursor.close()
        connection.commit()

    return engine


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


@asynccontextmanager
async def _until(deadline: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError as error:
        raise DeadlineMissed("the database did not answer in time") from error
