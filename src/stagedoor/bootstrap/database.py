"""The one place that opens a database by its URL: for a server, and for every command."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, inspect, text

from stagedoor.adapters.clock import SystemClock
from stagedoor.adapters.embedded.database_copy import SIDE_FILES, beside
from stagedoor.adapters.embedded.sqlite_file import FileInUse, LogWithoutDatabase, ServingLock, SqliteFile
from stagedoor.adapters.sql import schema
from stagedoor.adapters.sql.lanes import Lanes, Step
from stagedoor.adapters.sql.server_clock import read_clock
from stagedoor.adapters.sql.server_lanes import COMMAND, SERVING, LaneLimits, ServerLanes
from stagedoor.adapters.sql.server_url import UnfitURL
from stagedoor.kernel.clock import Clock
from stagedoor.kernel.followed_clock import FollowedClock
from stagedoor.settings import Settings
from stagedoor.workers.clock_watch import ClockWatch

__all__ = [
    "Database",
    "DatabaseRefused",
    "FileInUse",
    "LogWithoutDatabase",
    "clock_watch",
    "damage_of",
    "existing",
    "is_empty",
    "is_there",
    "made",
    "migrated",
    "nobody_serving",
    "opened",
    "remove_file",
    "schema_sentence",
    "serving",
    "written",
]

T = TypeVar("T")


class DatabaseRefused(Exception):  # noqa: N818 -- it becomes a sentence to the operator
    """The database is not there, or not what is needed; its text is the sentence that says why, and what to do."""


READINGS_AT_START = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """An open database: the ways into it, and the *clock* that judges its deadlines."""

    lanes: Lanes
    clock: Clock


@asynccontextmanager
async def opened(settings: Settings, *, limits: LaneLimits = COMMAND) -> AsyncIterator[Database]:
    """Open the database, whatever is in it, and close it at the end; a server's within *limits*."""
    if settings.is_cluster:
        async with _opened_server(settings, limits) as database:
            yield database
        return
    settings.database_file.parent.mkdir(parents=True, exist_ok=True)
    file = SqliteFile(settings.database_file)
    try:
        yield Database(lanes=file, clock=SystemClock())
    finally:
        await file.close()


@asynccontextmanager
async def _opened_server(settings: Settings, limits: LaneLimits) -> AsyncIterator[Database]:
    try:
        lanes = ServerLanes(settings.database_url, limits)
    except UnfitURL as error:
        raise DatabaseRefused(f"{settings.database_shown} cannot be connected to: {error}") from error
    clock = FollowedClock(SystemClock())
    watch = clock_watch(clock, lanes)
    try:
        await lanes.refuse_unfit()
        for _ in range(READINGS_AT_START):
            await watch.look()
        watch.refuse_unsure()
        yield Database(lanes=lanes, clock=clock)
    except UnfitURL as error:
        raise DatabaseRefused(f"{settings.database_shown} cannot be used: {error}") from error
    finally:
        await lanes.close()


def clock_watch(clock: FollowedClock, lanes: Lanes) -> ClockWatch:
    """Return what keeps *clock*, the database server's, by asking it through *lanes*."""
    return ClockWatch(clock, partial(read_clock, lanes))


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Database]:
    """
    Open the database to serve from.

    Raises `FileInUse` where it is a file that another process serves from, and
    `DatabaseRefused` for a server's whose schema is not ours.
    """
    if settings.is_cluster:
        async with existing(settings, limits=SERVING) as database:
            yield database
        return
    with nobody_serving(settings):
        async with opened(settings) as database:
            yield database


@asynccontextmanager
async def existing(settings: Settings, *, limits: LaneLimits = COMMAND) -> AsyncIterator[Database]:
    """
    Open the database, on which a server may be at work.

    Raises `DatabaseRefused` if there is none, or its schema is not ours.
    """
    shown = settings.database_shown
    if not is_there(settings):
        raise DatabaseRefused(f"there is no database {shown} yet: `stagedoor serve` or `stagedoor seed` makes one")
    async with opened(settings, limits=limits) as database:
        found = await database.lanes.reading(schema.current)
        if found is None and await database.lanes.reading(is_empty):
            first = "`stagedoor migrate` makes its schema" if settings.is_cluster else _WAIT
            raise DatabaseRefused(f"there is nothing in {shown} yet: {first}")
        if found != schema.HEAD:
            raise DatabaseRefused(schema_sentence(settings, found))
        yield database


@asynccontextmanager
async def made(settings: Settings) -> AsyncIterator[Database]:
    """
    Open the database, on which a server may be at work, and make it if it is a file that is not there.

    Raises `DatabaseRefused`; a database server's schema is changed by `stagedoor migrate` alone.
    """
    if settings.is_cluster:
        async with existing(settings) as database:
            yield database
        return
    async with opened(settings) as database:
        found = await database.lanes.reading(schema.current)
        if found is None:
            await migrated(database.lanes)
        elif found != schema.HEAD:
            raise DatabaseRefused(schema_sentence(settings, found))
        yield database


async def migrated(lanes: Lanes) -> bool:
    """Bring the schema up to date; tell whether there was anything to do. Raises `UnknownSchema`, `ForeignDatabase`."""
    found = await lanes.reading(schema.current)
    if found == schema.HEAD:
        return False
    await written(lanes, schema.upgrade)
    return True


async def written(lanes: Lanes, step: Step[T]) -> T:
    """Run *step* in a transaction of its own, and commit it."""
    async with lanes.writing() as transaction:
        outcome = await transaction.run(step)
        await transaction.commit(proof=_cannot_tell)
    return outcome


@contextmanager
def nobody_serving(settings: Settings) -> Iterator[None]:
    """Keep servers off a file while it lasts. Raises `FileInUse` if one serves from it already."""
    if settings.is_cluster:
        yield
        return
    settings.database_file.parent.mkdir(parents=True, exist_ok=True)
    lock = ServingLock(settings.database_file)
    try:
        yield
    finally:
        lock.release()


def remove_file(settings: Settings) -> None:
    """Remove the database's file and what lies beside it, while `nobody_serving`."""
    for suffix in ("", *SIDE_FILES):
        beside(settings.database_file, suffix).unlink(missing_ok=True)


def is_there(settings: Settings) -> bool:
    """Tell whether the database's file is there; of a server's database that shows when it is opened."""
    return settings.is_cluster or settings.database_file.exists()


def schema_sentence(settings: Settings, found: str | None) -> str:
    """Say what is wrong with a database whose schema is *found*."""
    shown = settings.database_shown
    if found is None:
        return f"the database {shown} holds something else than stagedoor's data: name another one"
    return (
        f"the schema of {shown} is {found}, and this stagedoor needs {schema.HEAD}: "
        "`stagedoor migrate` brings an older one up to date"
    )


def damage_of(connection: Connection) -> str:
    """Return `ok`, or how a file is damaged; a server looks after its own."""
    if connection.dialect.name != "sqlite":
        return "ok"
    return str(connection.scalar(text("PRAGMA quick_check(1)")))


def is_empty(connection: Connection) -> bool:
    """Tell whether nobody has put anything into the database yet."""
    return not inspect(connection).get_table_names()


_WAIT = "wait until the server that is starting on it is ready"


def _cannot_tell(_connection: Connection) -> bool:
    # A command whose commit was not answered says so; the person who ran it looks, and runs it again.
    return False
