"""The database as a command needs it: there, of a schema we know, and let go of at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy import Connection, inspect

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql import schema
from stagedoor.adapters.sql.lanes import Lanes, Step
from stagedoor.cli.sentences import Refused
from stagedoor.settings import Settings

T = TypeVar("T")


@asynccontextmanager
async def existing(settings: Settings) -> AsyncIterator[Lanes]:
    """
    Open the database, on which a server may be at work.

    Raises `Refused` if there is none, or its schema is not ours.
    """
    path = settings.database_file
    if not path.is_file():
        raise Refused(f"there is no database {path} yet: `stagedoor serve` or `stagedoor seed` makes one")
    async with opened(settings) as lanes:
        found = await lanes.reading(schema.current)
        if found is None and await lanes.reading(is_empty):
            raise Refused(f"there is nothing in {path} yet: wait until the server that is starting on it is ready")
        if found != schema.HEAD:
            raise Refused(schema_sentence(settings, found))
        yield lanes


@asynccontextmanager
async def made(settings: Settings) -> AsyncIterator[Lanes]:
    """Open the database, on which a server may be at work, and make it if there is none. Raises `Refused`."""
    settings.database_file.parent.mkdir(parents=True, exist_ok=True)
    async with opened(settings) as lanes:
        found = await lanes.reading(schema.current)
        if found is None:
            await migrated(lanes)
        elif found != schema.HEAD:
            raise Refused(schema_sentence(settings, found))
        yield lanes


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


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[SqliteFile]:
    """Open the file, whatever is in it, and close it at the end."""
    file = SqliteFile(settings.database_file)
    try:
        yield file
    finally:
        await file.close()


def schema_sentence(settings: Settings, found: str | None) -> str:
    """Say what is wrong with a database whose schema is *found*."""
    if found is None:
        return f"the database {settings.database_file} holds something else than stagedoor's data: name another one"
    return (
        f"the schema of {settings.database_file} is {found}, and this stagedoor needs {schema.HEAD}: "
        "`stagedoor migrate` brings an older one up to date"
    )


def is_empty(connection: Connection) -> bool:
    """Tell whether nobody has put anything into the file yet."""
    return not inspect(connection).get_table_names()


def _cannot_tell(_connection: Connection) -> bool:
    # A command whose commit was not answered says so; the person who ran it looks, and runs it again.
    return False
