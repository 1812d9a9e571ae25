"""The one place where a stored room is changed, for the operators' calls and the command line alike."""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, Row, select, update

from stagedoor.adapters.sql.audit import append, is_written
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.room_book import UNCHANGED_VERSION, room_of_row
from stagedoor.adapters.sql.tables import room as room_table
from stagedoor.kernel.clock import Clock
from stagedoor.kernel.ids import RoomId
from stagedoor.operators.model import AuditEntry, Detail
from stagedoor.waiting_room.rejections import UnknownRoom
from stagedoor.waiting_room.room import Room, RoomDefaults
from stagedoor.waiting_room.room_change import RoomAction, RoomChange, RoomDesk, act_on

_Values = Mapping[str, object]
_Decide = Callable[[Room], _Values]
"""From the room as it is to the columns that get another value. May refuse by raising."""


class SqlRoomDesk(RoomDesk):
    """Changes stored rooms. A running server goes by the change within a second, whichever process made it."""

    def __init__(self, lanes: Lanes, clock: Clock, *, defaults: RoomDefaults) -> None:
        """Write through *lanes*; *defaults* stand where a room's row says nothing."""
        self._lanes = lanes
        self._clock = clock
        self._defaults = defaults

    async def change(self, room_id: RoomId, change: RoomChange, *, actor: str) -> Room:
        """Change policy and times; return the room as it is then."""

        def decide(room: Room) -> _Values:
            changed = change.times_of(room)
            return {**change.policy, **_differences(room, changed)}

        return await self._write(room_id, decide, action="room.set", actor=actor)

    async def act(self, room_id: RoomId, action: RoomAction, *, actor: str) -> Room:
        """Open, pause or close the room; return it as it is then."""
        now = self._clock.now()

        def decide(room: Room) -> _Values:
            return _differences(room, act_on(room, action, now))

        return await self._write(room_id, decide, action=f"room.{action.value}", actor=actor)

    async def _write(self, room_id: RoomId, decide: _Decide, *, action: str, actor: str) -> Room:
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Room, int, AuditEntry]:
            row = _row(connection, room_id)
            room = room_of_row(row, self._defaults)
            values = decide(room)
            if row.version == UNCHANGED_VERSION:
                # What followed the settings so far is written down, so that no later change of another field loses it.
                values = {"opens_at": room.opens_at, "closes_at": room.closes_at, **values}
            changed = connection.execute(
                update(room_table)
                .where(room_table.c.id == room_id, room_table.c.version == row.version)
                .values(**values, version=row.version + 1)
            )
            assert changed.rowcount == 1, "the room was locked, and has changed all the same"
            detail = _told(row, values)
            entry = AuditEntry(at=now, actor=actor, action=action, subject=f"room:{room_id}", detail=detail)
            return room_of_row(_row(connection, room_id), self._defaults), append(connection, entry), entry

        async with self._lanes.writing() as transaction:
            room, audit_id, entry = await transaction.run(write)
            await transaction.commit(proof=lambda connection: is_written(connection, audit_id, entry))
        return room


def _row(connection: Connection, room_id: RoomId) -> Row[tuple[object, ...]]:
    row = connection.execute(select(room_table).where(room_table.c.id == room_id).with_for_update()).first()
    if row is None:
        raise UnknownRoom
    return row


def _differences(before: Room, after: Room) -> _Values:
    """Return the columns in which a room's state and times differ."""
    columns = {"state": after.state.value, "opens_at": after.opens_at, "closes_at": after.closes_at}
    stood = {"state": before.state.value, "opens_at": before.opens_at, "closes_at": before.closes_at}
    return {name: value for name, value in columns.items() if value != stood[name]}


def _told(row: Row[tuple[object, ...]], values: _Values) -> Detail:
    """Return each changed column's value before and after, for the audit."""
    changed = {name: value for name, value in values.items() if value != getattr(row, name)}
    return {
        "version": row.version + 1,
        "changed": {name: {"from": getattr(row, name), "to": value} for name, value in changed.items()},
    }
