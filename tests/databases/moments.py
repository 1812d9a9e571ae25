"""Moments in which a test does something, on the database's own word that they have come."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select, text
from sqlalchemy.util import await_only

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.tables import wallet
from tests.faults.toxics import Piece, Toxic, Way

SECONDS_MAX = 60

_WAIT_FOR_LOCKS: Mapping[str, str] = {
    "mariadb": "SELECT CAST(variable_value AS UNSIGNED) FROM information_schema.global_status "
    "WHERE variable_name = 'INNODB_ROW_LOCK_CURRENT_WAITS'",
    "postgresql": "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
}

_UNDONE: Mapping[str, str] = {
    "mariadb": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'",
    "postgresql": "DO $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$",
}

_FULL: Mapping[str, str] = {
    "mariadb": "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'",
    "postgresql": "DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$",
}

_SLEEP: Mapping[str, str] = {"mariadb": "SELECT SLEEP(:seconds)", "postgresql": "SELECT pg_sleep(:seconds)"}


async def until_somebody_waits(lanes: Lanes) -> None:
    """Return once a transaction waits for another's lock."""

    def waiting(connection: Connection) -> int:
        return connection.scalar(text(_WAIT_FOR_LOCKS[connection.dialect.name])) or 0

    async with asyncio.timeout(SECONDS_MAX):
        while not await lanes.reading(waiting):  # noqa: ASYNC110 -- the server tells nobody
            await asyncio.sleep(0.02)


def lock_wallet(connection: Connection, buyer_id: int) -> None:
    connection.execute(select(wallet).where(wallet.c.buyer_id == buyer_id).with_for_update()).all()


def come_to(event: asyncio.Event) -> None:
    """In a step: wait for *event*, in the middle of a transaction."""
    await_only(asyncio.wait_for(event.wait(), SECONDS_MAX))


def be_undone(connection: Connection) -> None:
    """Have the server undo the transaction, as for a deadlock."""
    connection.exec_driver_sql(_UNDONE[connection.dialect.name])


def find_no_room(connection: Connection) -> None:
    """Have the server say what it says where its disk is full."""
    connection.exec_driver_sql(_FULL[connection.dialect.name])


def sleep(connection: Connection, seconds: float) -> None:
    connection.execute(text(_SLEEP[connection.dialect.name]), {"seconds": seconds}).all()


@dataclass(frozen=True, eq=False, kw_only=True)
class Once(Toxic):
    """What happens to the first piece only: its connection is reset, or it is held until this is taken away."""

    holds: bool = False
    met: list[Piece] = field(default_factory=list)

    async def let_through(self, piece: Piece, way: Way) -> AsyncIterator[Piece]:
        self.met.append(piece)
        if len(self.met) == 1 and not self.holds:
            way.reset()
            return
        if len(self.met) == 1:
            await way.wait_until(None, self)
        yield piece
