"""One reading brings what the books would say one by one, and the number of the newest event."""

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.news import read_news
from stagedoor.adapters.sql.room_book import SqlRoomBook
from stagedoor.adapters.sql.sale_switches import SqlSwitchBook, SqlSwitchDesk
from stagedoor.kernel.clock import ManualClock
from stagedoor.kernel.sale_state import SaleState
from stagedoor.waiting_room.room import RoomDefaults, RoomPolicy
from tests.builders.sale import NOON, PLAY, reserve
from tests.builders.store import House

DEFAULTS = RoomDefaults(policy=RoomPolicy(max_active=77, rate=2.5), opens_at=NOON)


async def test_it_is_what_the_books_say(lanes: Lanes) -> None:
    await SqlSwitchDesk(lanes, ManualClock(NOON)).turn(SaleState.STOPPED, PLAY, actor="key:ann")

    rooms, switches, newest_event = await read_news(lanes, DEFAULTS)

    assert (rooms(), switches) == (await SqlRoomBook(lanes, DEFAULTS).all(), await SqlSwitchBook(lanes).all())
    assert switches.state_of(PLAY) is SaleState.STOPPED
    assert newest_event == 0


async def test_every_sale_makes_another_event_the_newest(house: House, lanes: Lanes) -> None:
    newest = []
    for buyer in (1, 2):
        await house.one(reserve(buyer, buyer))
        newest.append((await read_news(lanes, DEFAULTS)).newest_event)

    assert 0 < newest[0] < newest[1]
