"""Memory and journal have parted over one used up place: a defect there is nobody else's trouble."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stagedoor.adapters.embedded.line import EmbeddedLine
from stagedoor.kernel.clock import ManualClock
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.model import PlaceState
from stagedoor.waiting_room.ports import Join, Joined
from tests.builders.line import a_ref, a_room
from tests.builders.sale import NOON
from tests.builders.store import open_sqlite
from tests.contract.line_stage import StageRooms

ROOM = a_room()
BAD, GOOD, OTHER = a_ref(1), a_ref(2), a_ref(3)


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[EmbeddedLine]:
    """A line of three; the journal knows nothing of the first."""
    async with open_sqlite(tmp_path) as file:
        rooms = StageRooms()
        rooms.set(ROOM)
        line = EmbeddedLine(lanes=file, clock=ManualClock(NOON), rooms=rooms)
        await line.restore(at=NOON)
        for buyer in (7, 8, 9):
            await join(line, buyer)
        async with file.writing() as transaction:
            await transaction.run(lambda connection: connection.exec_driver_sql("DELETE FROM place WHERE number = 1"))
            await transaction.commit(proof=lambda _: True)
        yield line


async def join(line: EmbeddedLine, buyer: int) -> int:
    [joined] = await line.join([Join(room=ROOM, buyer_id=BuyerId(buyer))])
    assert isinstance(joined, Joined)
    return joined.place.ref.number


async def test_everybody_elses_mutations_go_on(line: EmbeddedLine) -> None:
    line.mark_used_up(BAD)
    line.mark_used_up(GOOD)

    assert await join(line, 10) == 4

    place = await line.look(GOOD)
    assert place is not None
    assert place.state is PlaceState.DONE


async def test_what_the_relay_tells_of_others_is_taken(line: EmbeddedLine) -> None:
    line.mark_used_up(BAD)

    await line.use_up([GOOD, OTHER])

    for ref in (GOOD, OTHER):
        place = await line.look(ref)
        assert place is not None
        assert place.state is PlaceState.DONE


async def test_the_relay_hears_that_it_could_not_be_ended(line: EmbeddedLine) -> None:
    line.mark_used_up(BAD)
    line.mark_used_up(OTHER)

    with pytest.raises(AssertionError):
        await line.use_up([GOOD, BAD])

    await line.use_up([GOOD])
    assert [line.is_settled(ref) for ref in (BAD, GOOD, OTHER)] == [False, True, True]


async def test_she_who_has_paid_is_not_shown_as_if_she_had_not(line: EmbeddedLine) -> None:
    line.mark_used_up(BAD)
    await join(line, 10)

    assert not line.is_settled(BAD)
    with pytest.raises(AssertionError):
        await line.look(BAD)
