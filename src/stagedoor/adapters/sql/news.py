"""What every process asks for several times a second, in one reading: to ask costs more than the answers do."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from stagedoor.adapters.sql.lanes import Lanes, asked_either_way
from stagedoor.adapters.sql.room_book import room_of_row, room_rows
from stagedoor.adapters.sql.sale_switches import switches_in
from stagedoor.adapters.sql.tables import outbox
from stagedoor.seating.switch import SaleSwitches
from stagedoor.waiting_room.room import Room, RoomDefaults

_NEWEST_EVENT = select(func.max(outbox.c.sequence))


class News(NamedTuple):
    """
    The rooms, what the switches say, and the number of the newest event in the outbox, 0 where there is none.

    *make_rooms* makes them of their rows only when called: one that makes no sense must not keep a switch from being
    heard.
    """

    make_rooms: Callable[[], Sequence[Room]]
    switches: SaleSwitches
    newest_event: int


async def read_news(lanes: Lanes, defaults: RoomDefaults) -> News:
    """
    Return what is so now; *defaults* stand where a room says nothing. Raises `Fault`.

    Whoever can still sell, or still show, hears of it: that the sale is stopped, and what others have sold.
    """

    def read(connection: Connection) -> News:
        rows = room_rows(connection)
        return News(
            make_rooms=lambda: [room_of_row(row, defaults) for row in rows],
            switches=switches_in(connection),
            newest_event=connection.scalar(_NEWEST_EVENT) or 0,
        )

    return await asked_either_way(lanes, read)
