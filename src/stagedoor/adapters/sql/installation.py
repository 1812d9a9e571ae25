"""What is written once, when a database first serves: the epoch of its line."""

from sqlalchemy import Connection, select

from stagedoor.adapters.sql import tables
from stagedoor.adapters.sql.dialect import INSTALL_ONCE
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.kernel.clock import Instant

_EPOCH = select(tables.installation.c.line_epoch)


async def line_epoch(lanes: Lanes, *, new_epoch: str, now: Instant) -> str:
    """
    Return the epoch that the line's tokens are bound to; *new_epoch* becomes it where there is none yet.

    Another database has another epoch, so a token of a line that was thrown
    away names no place of the one that took its place, and the line on a Redis
    that was kept for another database is left alone.
    """

    def write(connection: Connection) -> None:
        # Of several processes that begin at once one is the first.
        INSTALL_ONCE(connection, [(1, new_epoch, now)])

    stored = await lanes.reading(_stored)
    if stored is not None:
        return stored
    async with lanes.writing() as transaction:
        await transaction.run(write)
        await transaction.commit(proof=lambda connection: _stored(connection) is not None)
    stored = await lanes.reading(_stored)
    assert stored is not None
    return stored


def _stored(connection: Connection) -> str | None:
    epoch: str | None = connection.scalar(_EPOCH)
    return epoch
