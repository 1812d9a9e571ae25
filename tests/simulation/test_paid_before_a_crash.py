"""A payment was answered, and the server died before its line had written down that the place is used up."""

import asyncio
from pathlib import Path
from random import Random
from unittest import mock

from stagedoor.checkout.line_subscriber import TellTheLine
from stagedoor.checkout.outcomes import HoldReceipt
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId, PerformanceId, SeatId
from stagedoor.waiting_room.model import PlaceState
from tests.builders.line import a_ref, taken
from tests.builders.store import before_the_sale
from tests.simulation.process import Server, live, seeded, settings_for

ANN = BuyerId(1)
HERS = a_ref(1)


async def pay_and_die(server: Server) -> None:
    services = server.services
    await taken(services.issue_token.issue(room_id=MAIN_ROOM, buyer_id=ANN, key=None))
    await asyncio.sleep(1.0)  # of virtual time: long enough for a turn
    reserved = await services.reserve_seats.reserve(
        ref=HERS, buyer_id=ANN, performance_id=PerformanceId(1), seat_ids=[SeatId(1)], key=None
    )
    assert isinstance(reserved.receipt, HoldReceipt)
    await services.pay.pay(hold_id=reserved.receipt.hold_id, buyer_id=ANN, key=None)
    server.disk.die()


def state_after_the_next_start(folder: Path) -> PlaceState:
    """Return how her place stands at the first moment at which anybody can ask."""
    database = folder / "evening.db"
    database.write_bytes(before_the_sale())
    settings = settings_for(database)
    seen: list[PlaceState] = []

    async def look(server: Server) -> None:
        place = server.services.check_place.check(HERS).place
        seen.append(place.state)

    with seeded(Random(1)):
        died_s = live(settings, pay_and_die)
        live(settings, look, started_s=died_s + 1)
    [state] = seen
    return state


def test_what_the_payment_used_up_is_over_at_once(tmp_path: Path) -> None:
    assert state_after_the_next_start(tmp_path) is PlaceState.DONE


def test_that_is_so_because_the_line_is_told_before_anybody_asks(tmp_path: Path) -> None:
    """The control: without it she would stand inside until the relay comes."""

    async def tell_nothing(_tell: TellTheLine, _events: object) -> None:
        """Leave the line as the journal has it."""

    with mock.patch.object(TellTheLine, "__call__", tell_nothing):
        assert state_after_the_next_start(tmp_path) is PlaceState.ADMITTED
