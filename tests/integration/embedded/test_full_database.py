"""A database that cannot grow refuses what is new, keeps what is stored, and takes new things once it can grow."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from stagedoor.adapters.embedded.line import EmbeddedLine
from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql.lanes import DatabaseFull
from stagedoor.checkout.outcomes import Settled
from stagedoor.kernel.clock import ManualClock
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.ports import Join, Joined
from tests.builders.line import a_ref, a_room
from tests.builders.sale import ANN, NOON, a_key, charge
from tests.builders.store import MEMBERS, House, open_sqlite
from tests.contract.line_stage import StageRooms

ROOM = a_room()
TRIES = 20_000
AS_LARGE_AS_IT_GETS = 1 << 30


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    async with open_sqlite(tmp_path) as opened:
        yield opened


@pytest.fixture
async def line(file: SqliteFile) -> EmbeddedLine:
    rooms = StageRooms()
    rooms.set(ROOM)
    line = EmbeddedLine(lanes=file, clock=ManualClock(NOON), rooms=rooms)
    await line.restore(at=NOON)
    return line


async def let_it_have(file: SqliteFile, pages: int) -> None:
    """Bound the database to *pages*; a bound below its size leaves it that size."""
    async with file.writing() as transaction:
        await transaction.run(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").all())


async def until_it_is_full(write: Callable[[int], Awaitable[object]]) -> int:
    """Write until the database says that it is full; return how often that went well."""
    for number in range(TRIES):
        try:
            await write(number)
        except DatabaseFull:
            return number
    raise AssertionError(f"after {TRIES} tries it is not full")


async def join(line: EmbeddedLine, buyer: int) -> Joined:
    [joined] = await line.join([Join(room=ROOM, buyer_id=BuyerId(buyer))])
    assert isinstance(joined, Joined)
    return joined


async def test_the_line_refuses_and_forgets_nobody(file: SqliteFile, line: EmbeddedLine) -> None:
    await let_it_have(file, 1)
    joined = await until_it_is_full(lambda number: join(line, number + 1))

    for number in range(1, joined + 1):
        place = await line.look(a_ref(number))
        assert place is not None
        assert place.buyer_id == number
    assert await line.look(a_ref(joined + 1)) is None
    assert line.view(ROOM.id).last_number == joined

    await let_it_have(file, AS_LARGE_AS_IT_GETS)
    assert (await join(line, TRIES)).place.ref.number == joined + 1


async def test_the_sale_refuses_and_loses_no_won(file: SqliteFile) -> None:
    house = House(file, ManualClock(NOON))
    await let_it_have(file, 1)
    charged = await until_it_is_full(
        lambda number: house.one(charge(1 + number % MEMBERS, 1, key=a_key(f"k-{number}")))
    )

    await house.check()
    await let_it_have(file, AS_LARGE_AS_IT_GETS)
    again = await house.one(charge(1 + charged % MEMBERS, 1, key=a_key(f"k-{charged}")))
    assert isinstance(again, Settled)
    assert not again.replayed
    assert isinstance(await house.one(charge(ANN, 1)), Settled)
    await house.check()
