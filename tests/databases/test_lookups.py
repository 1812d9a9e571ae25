"""A batch reads as much in a room where thousands have bought as in an empty one, however new its tables are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Connection, text

from stagedoor.adapters.sql import sale_reads
from stagedoor.adapters.sql.bulk import Bulk
from stagedoor.adapters.sql.lanes import Lanes, Step, T, WriteTransaction
from stagedoor.adapters.sql.line_record import SqlLineRecord
from stagedoor.adapters.sql.tables import closed_place, hold
from stagedoor.holds.model import HoldPolicy, HoldState
from stagedoor.kernel.clock import ManualClock, later
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId
from stagedoor.waiting_room.changes import Admission, Change, Ending, NewPlace, Terms
from stagedoor.waiting_room.model import EndCause, PlaceState
from tests.builders.sale import NOON, PLAY, reserve

BOUGHT_BEFORE = 4_000
ASKING = 8
ROWS_EACH = 40
"""Far more than is read for one command, and far less than all that is there."""

_ROWS_READ = {
    "postgresql": "SELECT SUM(COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables",
    "mariadb": "SELECT SUM(variable_value) FROM information_schema.session_status "
    "WHERE variable_name IN ('HANDLER_READ_KEY', 'HANDLER_READ_NEXT', 'HANDLER_READ_PREV', 'HANDLER_READ_RND_NEXT')",
}


def rows_read(connection: Connection) -> int:
    """Return how many rows this transaction (PostgreSQL) or session (MariaDB) has read so far."""
    return int(connection.execute(text(_ROWS_READ[connection.dialect.name])).scalar_one() or 0)


class CountingLanes(Lanes):
    """Lanes that note how many rows each step of a transaction has read."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self.read: list[int] = []

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        async with self._lanes.writing() as transaction:
            yield _Counting(transaction, self.read)

    async def reading(self, step: Step[T]) -> T:
        return await self._lanes.reading(step)


class _Counting(WriteTransaction):
    def __init__(self, transaction: WriteTransaction, read: list[int]) -> None:
        self._transaction = transaction
        self._read = read

    async def run(self, step: Step[T]) -> T:
        def counted(connection: Connection) -> T:
            before = rows_read(connection)
            outcome = step(connection)
            self._read.append(rows_read(connection) - before)
            return outcome

        return await self._transaction.run(counted)

    async def commit(self, *, proof: Step[bool]) -> None:
        await self._transaction.commit(proof=proof)


@pytest.fixture
def counting(lanes: Lanes) -> CountingLanes:
    return CountingLanes(lanes)


async def test_a_batch_of_the_sale(counting: CountingLanes, clock: ManualClock) -> None:
    close = Bulk.insert(closed_place, "room_id", "place_number", "closed_at")
    columns = ("id", "buyer_id", "room_id", "place_number", "performance_id", "state")
    place = Bulk.insert(hold, *columns, "placed_at", "expires_at", "ended_at", "extended_ms")
    others = range(1_000, 1_000 + BOUGHT_BEFORE)

    def fill(connection: Connection) -> None:
        close(connection, [(MAIN_ROOM, number, NOON) for number in others])
        paid = HoldState.PAID.value
        place(connection, [(n, n, MAIN_ROOM, n, PLAY, paid, NOON, later(NOON, 1), NOON, 0) for n in others])

    async with counting.writing() as transaction:
        await transaction.run(fill)
        await transaction.commit(proof=lambda _: True)
    commands = [reserve(number, number) for number in range(1, 1 + ASKING)]

    async with counting.writing() as transaction:
        rows = await transaction.run(
            lambda connection: sale_reads.load(connection, commands, HoldPolicy(), clock),
        )

    assert len(rows.balances) == len(rows.seats) == ASKING
    assert counting.read[-1] < ASKING * ROWS_EACH


async def test_a_turn_of_the_line(counting: CountingLanes) -> None:
    record = SqlLineRecord(counting)
    marks = await record.open(MAIN_ROOM, server="redis", held_epoch=None, lost_epoch=None)
    places = {number: NewPlace(number, BuyerId(number), later(NOON, 10**7)) for number in range(1, 1 + BOUGHT_BEFORE)}
    admitted = Change(
        at=NOON,
        last_number=BOUGHT_BEFORE,
        serving_number=BOUGHT_BEFORE,
        admitted=tuple(Admission(number, returner=False, entry_ends_at=later(NOON, 10**6)) for number in places),
        terms=Terms(max_active=BOUGHT_BEFORE, rate=None, session_ends_at=later(NOON, 10**6)),
    )
    ended = Change(
        at=later(NOON, 1),
        last_number=BOUGHT_BEFORE,
        serving_number=BOUGHT_BEFORE,
        ended=tuple(Ending(number, PlaceState.DONE, EndCause.PAID, had_pass=True) for number in range(1, 1 + ASKING)),
    )
    for position, change in enumerate((admitted, ended), start=1):
        changes = [(position, change)]
        await record.write(MAIN_ROOM, epoch=marks.epoch, changes=changes, places=places, session_ends={})

    assert counting.read[-1] < ASKING * ROWS_EACH
    assert len((await record.read(MAIN_ROOM)).passes) == BOUGHT_BEFORE - ASKING
