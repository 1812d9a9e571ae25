"""What was read is gone by, and holds for as long as nothing can be read."""

from collections.abc import Callable, Sequence

import pytest

from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import MAIN_ROOM
from stagedoor.kernel.sale_state import SaleState
from stagedoor.seating.switch import ALL_OPEN, ReadSwitches, SaleSwitches, SwitchBook
from stagedoor.waiting_room.ports import RoomBook
from stagedoor.waiting_room.room import Room
from stagedoor.waiting_room.rooms import ReadRooms
from stagedoor.workers.news import FollowNews
from tests.builders.line import a_room

STOPPED = SaleSwitches(everywhere=SaleState.STOPPED)


class Unread(RoomBook, SwitchBook):
    """Books that nobody opens: their owner is handed what was read."""

    async def all(self) -> Sequence[Room] | SaleSwitches:  # type: ignore[override]  # neither is ever returned
        raise AssertionError("one reading brings everything")


class Paper:
    """What there is to read; nothing while it is out."""

    def __init__(self) -> None:
        self.rooms = [a_room(max_active=3)]
        self.switches, self.newest_event = STOPPED, 7
        self.is_out = False

    async def read(self) -> tuple[Callable[[], Sequence[Room]], SaleSwitches, int]:
        if self.is_out:
            raise Fault("out")
        return self.made, self.switches, self.newest_event

    def made(self) -> Sequence[Room]:
        if not self.rooms:
            raise ValueError("rows that are no rooms")
        return self.rooms


async def test_one_reading_brings_everything_and_holds_while_there_is_no_other() -> None:
    paper, rooms, switches, heard = Paper(), ReadRooms(Unread()), ReadSwitches(Unread()), list[int]()
    news = FollowNews(read=paper.read, rooms=rooms, switches=switches, hear=heard.append)
    await news.look()

    paper.is_out = True
    with pytest.raises(Fault, match="out"):
        await news.look()

    assert (rooms.get(MAIN_ROOM), switches.now(), heard) == (a_room(max_active=3), STOPPED, [7])
    paper.is_out = False
    paper.rooms, paper.switches, paper.newest_event = [a_room(max_active=4)], ALL_OPEN, 8
    await news.look()
    assert (rooms.get(MAIN_ROOM), switches.now(), heard) == (a_room(max_active=4), ALL_OPEN, [7, 8])


async def test_rooms_that_make_no_sense_keep_no_switch_from_being_heard() -> None:
    paper, rooms, switches, heard = Paper(), ReadRooms(Unread()), ReadSwitches(Unread()), list[int]()
    news = FollowNews(read=paper.read, rooms=rooms, switches=switches, hear=heard.append)
    await news.look()
    paper.rooms, paper.switches, paper.newest_event = [], ALL_OPEN, 8

    with pytest.raises(ValueError, match="no rooms"):
        await news.look()

    assert (rooms.get(MAIN_ROOM), switches.now(), heard) == (a_room(max_active=3), ALL_OPEN, [7, 8])
