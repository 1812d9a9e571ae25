"""The stored rooms, read."""

from collections.abc import Sequence
from dataclasses import fields, replace

from sqlalchemy import Connection, Row, select

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.tables import room
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import RoomId
from stagedoor.waiting_room.ports import RoomBook
from stagedoor.waiting_room.room import Room, RoomPolicy, RoomState

_ROOMS = select(room).order_by(room.c.id)

POLICY_COLUMNS = tuple(field.name for field in fields(RoomPolicy))


class SqlRoomBook(RoomBook):
    """The rooms in a SQL database; *defaults* stand where a row says nothing."""

    def __init__(self, lanes: Lanes, defaults: RoomPolicy) -> None:
        """Read through *lanes*."""
        self._lanes = lanes
        self._defaults = defaults

    async def all(self) -> Sequence[Room]:
        """Return every room, ordered by id."""

        def read(connection: Connection) -> Sequence[Room]:
            return [room_of_row(row, self._defaults) for row in connection.execute(_ROOMS)]

        return await self._lanes.reading(read)


def room_of_row(row: Row[*tuple[object, ...]], defaults: RoomPolicy) -> Room:
    """Return the room that a whole row of the table stands for."""
    stored = {name: value for name in POLICY_COLUMNS if (value := getattr(row, name)) is not None}
    return Room(
        id=RoomId(row.id),
        name=row.name,
        state=RoomState(row.state),
        policy=replace(defaults, **stored),
        opens_at=None if row.opens_at is None else Instant(row.opens_at),
        closes_at=None if row.closes_at is None else Instant(row.closes_at),
        version=row.version,
    )
