"""What a database says of itself, read as it is: nothing in it is made ready or changed."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from stagedoor.adapters.sql import schema, tables
from stagedoor.bootstrap.database import damage_of, is_empty, opened
from stagedoor.kernel.clock import Instant
from stagedoor.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the database says of itself; *alive_at* is when a server last said that it could serve."""

    schema: str | None
    empty: bool
    damage: str
    members: int = 0
    performances: int = 0
    alive_at: Instant | None = None


async def read_stored(settings: Settings) -> Stored:
    """Read it from the database of *settings*, which is there. Raises `Fault`."""
    async with opened(settings) as database:
        return await database.lanes.reading(_stored)


def _stored(connection: Connection) -> Stored:
    damage = damage_of(connection)
    found = schema.current(connection)
    if found != schema.HEAD:
        return Stored(schema=found, empty=is_empty(connection), damage=damage)
    return Stored(
        schema=found,
        empty=False,
        damage=damage,
        members=connection.scalar(select(func.count()).select_from(tables.member)) or 0,
        performances=connection.scalar(select(func.count()).select_from(tables.performance)) or 0,
        alive_at=connection.scalar(select(tables.clock_stop.c.alive_at)),
    )
