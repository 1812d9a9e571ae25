"""The stored rooms, read."""

from collections.abc import Sequence
from dataclasses import fields, replace

from sqlalchemy import Connection, Row, select

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.tables import room
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import MAIN_ROOM, RoomId
from stagedoor.waiting_room.ports import RoomBook
from stagedoor.waiting_room.room import Room, RoomDefaults, RoomPolicy, RoomState

_ROOMS = select(room).order_by(room.c.id)

UNCHANGED_VERSION = 1
"""The version of a room that nobody has changed since it was made."""

POLICY_COLUMNS = tuple(field.name for field in fields(RoomPolicy))


class SqlRoomBook(RoomBook):
    """The rooms in a SQL database; *defaults* stand where a row says nothing."""

    def __init__(self, lanes: Lanes, defaults: RoomDefaults) -> None:
        """Read through *lanes*."""
        self._lanes = lanes
        self._defaults = defaults

    async def all(self) -> Sequence[Room]:
        """Return every room, ordered by id."""
        return [room_of_row(row, self._defaults) for row in await self._lanes.reading(room_rows)]


def room_rows(connection: Connection) -> Sequence[Row[*tuple[object, ...]]]:
    """Return the row of every room, ordered by id."""
    return connection.execute(_ROOMS).all()


def room_of_row(row: Row[*tuple[object, ...]], defaults: RoomDefaults) -> Room:
    """Return the room that a whole row of the table stands for."""
    stored = {name: value for name in POLICY_COLUMNS if (value := getattr(row, name)) is not None}
    opens_at, closes_at = row.opens_at, row.closes_at
    if row.id == MAIN_ROOM and row.version == UNCHANGED_VERSION:
        opens_at, closes_at = defaults.opens_at, defaults.closes_at
    return Room(
        id=RoomId(row.id),
        name=row.name,
        state=RoomState(row.state),
        policy=replace(defaults.policy, **stored),
        opens_at=None if opens_at is None else Instant(opens_at),
        closes_at=None if closes_at is None else Instant(closes_at),
        version=row.version,
    )
