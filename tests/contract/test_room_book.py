"""The rooms as stored, with the settings' figures where a row says nothing."""

from dataclasses import replace

from sqlalchemy import update

from stagedoor.adapters.sql import tables
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.room_book import SqlRoomBook
from stagedoor.kernel.clock import later
from stagedoor.waiting_room.room import Room, RoomDefaults, RoomPolicy, RoomState
from tests.builders.sale import NOON, VIP_ROOM

POLICY = RoomPolicy(max_active=77, rate=2.5)
DEFAULTS = RoomDefaults(policy=POLICY, opens_at=NOON)


async def test_rooms_are_ordered_by_id_and_follow_the_defaults(lanes: Lanes) -> None:
    rooms = await SqlRoomBook(lanes, DEFAULTS).all()

    assert [room.id for room in rooms] == ["main", "vip"]
    assert rooms[1] == Room(id=VIP_ROOM, name="vip", state=RoomState.OPEN, policy=POLICY)


async def test_the_main_room_opens_when_the_settings_say_until_somebody_changes_it(lanes: Lanes) -> None:
    [before, _] = await SqlRoomBook(lanes, DEFAULTS).all()
    async with lanes.writing() as transaction:
        await transaction.run(
            lambda connection: (
                connection.execute(update(tables.room).values(version=tables.room.c.version + 1)).rowcount
            )
        )
        await transaction.commit(proof=lambda _: False)
    [after, _] = await SqlRoomBook(lanes, DEFAULTS).all()

    assert (before.opens_at, after.opens_at) == (NOON, None)


async def test_a_row_has_the_last_word(lanes: Lanes) -> None:
    async with lanes.writing() as transaction:
        await transaction.run(
            lambda connection: (
                connection.execute(
                    update(tables.room)
                    .where(tables.room.c.id == VIP_ROOM)
                    .values(
                        state="PAUSED",
                        max_active=5,
                        idle_timeout_ms=7,
                        opens_at=NOON,
                        closes_at=later(NOON, 9),
                        version=3,
                    )
                ).rowcount
            )
        )
        await transaction.commit(proof=lambda _: False)

    [_, vip] = await SqlRoomBook(lanes, DEFAULTS).all()

    assert vip.policy == replace(POLICY, max_active=5, idle_timeout_ms=7)
    assert (vip.state, vip.opens_at, vip.closes_at, vip.version) == (RoomState.PAUSED, NOON, later(NOON, 9), 3)
