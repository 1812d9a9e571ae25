"""What admission knows of the sale: read again where something changed, and nowhere else."""

from collections.abc import Mapping

import pytest
from sqlalchemy import Connection, insert
from sqlalchemy.exc import OperationalError

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql import supply as supply_module
from stagedoor.adapters.sql import tables
from stagedoor.adapters.sql.lanes import Step, T
from stagedoor.adapters.sql.supply import SqlSupply
from stagedoor.kernel.clock import DAY_MS, MINUTE_MS, ManualClock
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import MAIN_ROOM, PerformanceId, RoomId
from stagedoor.kernel.sale_state import SaleState
from stagedoor.seating.switch import ALL_OPEN, SaleSwitches
from stagedoor.waiting_room.ports import RoomSupply
from tests.builders.sale import ANN, BOB, DEADLINE, OPERA, PLAY, SEATS, VIP_ROOM, pay, release, reserve
from tests.builders.store import House


class CountingLanes(SqliteFile):
    """Counts the reads."""

    reads = 0

    async def reading(self, step: Step[T]) -> T:
        self.reads += 1
        return await super().reading(step)


@pytest.fixture
async def supply(sold_from: SqliteFile, clock: ManualClock) -> SqlSupply:
    made = SqlSupply(sold_from, clock)
    await made.refresh()
    return made


def free(supply: SqlSupply) -> int:
    return supply.of(MAIN_ROOM).free


async def test_all_performances_of_a_room_together_without_those_that_are_over(supply: SqlSupply) -> None:
    assert supply.of(MAIN_ROOM) == RoomSupply(free=60, held=0, next_hold_ends_at=None)
    assert supply.of(VIP_ROOM).free == 10


async def test_a_room_without_performances_has_nothing_free(supply: SqlSupply) -> None:
    assert supply.of(RoomId("nowhere")) == RoomSupply(free=0, held=0, next_hold_ends_at=None)


async def test_nothing_is_free_before_it_was_read(sold_from: SqliteFile, clock: ManualClock) -> None:
    assert SqlSupply(sold_from, clock).of(MAIN_ROOM).free == 0


async def test_what_is_touched_is_read_again(supply: SqlSupply, house: House) -> None:
    await house.batch(reserve(ANN, 1, 2), reserve(BOB, 51, performance_id=OPERA), pay(BOB))
    await supply.refresh()
    assert free(supply) == 60

    supply.touch({PLAY})
    await supply.refresh()
    assert supply.of(MAIN_ROOM) == RoomSupply(free=58, held=2, next_hold_ends_at=DEADLINE)

    supply.touch()
    await supply.refresh()
    assert supply.of(MAIN_ROOM) == RoomSupply(free=57, held=2, next_hold_ends_at=DEADLINE)


@pytest.mark.parametrize(("more_than_plenty", "seen_after_ms"), [(0, 500), (-1, 0)])
async def test_where_plenty_is_left_claims_are_counted_twice_a_second(  # noqa: PLR0913, PLR0917 -- what it is set up with
    supply: SqlSupply,
    house: House,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    more_than_plenty: int,
    seen_after_ms: int,
) -> None:
    clock.advance(1_000)
    await house.one(reserve(ANN, 1))
    supply.touch({PLAY})
    await supply.refresh()
    monkeypatch.setattr(supply_module, "PLENTY", len(SEATS[PLAY]) - 1 - more_than_plenty)
    await house.one(reserve(BOB, 2))
    supply.touch({PLAY})

    for _ in range(seen_after_ms // 100):
        await supply.refresh()
        assert free(supply) == 59
        clock.advance(100)
    await supply.refresh()

    assert free(supply) == 58


async def test_a_deadline_that_has_passed_needs_no_touch(supply: SqlSupply, house: House, clock: ManualClock) -> None:
    await house.one(reserve(ANN, 1, 2))
    supply.touch()
    await supply.refresh()
    clock.advance(5 * MINUTE_MS)

    await supply.refresh()

    assert supply.of(MAIN_ROOM) == RoomSupply(free=60, held=0, next_hold_ends_at=None)


async def test_a_performance_that_ends_no_longer_counts(supply: SqlSupply, clock: ManualClock) -> None:
    clock.advance(DAY_MS)

    assert free(supply) == 0


async def add_a_performance(lanes: SqliteFile, *, ends_at: int, seats: int) -> None:
    """Add performance 9 to the main room."""

    def add(connection: Connection) -> None:
        values = {"room_id": "main", "title": "T", "venue": "V", "time_zone": "Asia/Seoul"}
        connection.execute(insert(tables.performance).values(id=9, starts_at=1, ends_at=ends_at, **values))
        seat = {"section": "A", "row_name": "1", "seat_number": 1, "zone": "Z", "price_won": 1}
        for nth in range(seats):
            connection.execute(insert(tables.seat).values(id=900 + nth, performance_id=9, position=1 + nth, **seat))

    async with lanes.writing() as transaction:
        await transaction.run(add)
        await transaction.commit(proof=lambda _: False)


async def test_a_new_performance_is_seen_within_a_second(
    supply: SqlSupply, sold_from: SqliteFile, clock: ManualClock
) -> None:
    await add_a_performance(sold_from, ends_at=clock.now() + DAY_MS, seats=1)
    clock.advance(1_000)

    await supply.refresh()

    assert free(supply) == 61


async def test_a_performance_without_seats_counts_for_none(
    supply: SqlSupply, sold_from: SqliteFile, clock: ManualClock, house: House
) -> None:
    await add_a_performance(sold_from, ends_at=clock.now() + DAY_MS, seats=0)
    clock.advance(1_000)
    await supply.refresh()
    assert free(supply) == 60

    # Just counted, and touched with all others.
    await house.one(reserve(ANN, 1))
    supply.touch()
    await supply.refresh()

    assert free(supply) == 59


async def test_while_nothing_changes_nothing_is_read(sold_from: SqliteFile, clock: ManualClock) -> None:
    lanes = CountingLanes(sold_from.path)
    supply = SqlSupply(lanes, clock)
    for _ in range(9):
        await supply.refresh()
        clock.advance(100)
    await lanes.close()

    assert lanes.reads == 1


async def test_a_read_that_failed_is_made_up_for(
    supply: SqlSupply, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.one(reserve(ANN, 1))
    supply.touch({PLAY})

    def fails(*_arguments: object) -> None:
        raise OperationalError("SELECT", None, Exception("disk I/O error"))

    monkeypatch.setattr(supply_module, "count_claims", fails)
    with pytest.raises(Fault):
        await supply.refresh()
    monkeypatch.undo()
    assert free(supply) == 60

    await supply.refresh()

    assert free(supply) == 59


async def test_the_book_tells_it_what_to_read(sold_from: SqliteFile, clock: ManualClock, house: House) -> None:
    supply = SqlSupply(sold_from, clock)
    await supply.refresh()
    for command, left in ((reserve(ANN, 1), 59), (release(ANN), 60), (reserve(BOB, 1), 59), (pay(BOB), 59)):
        await house.one(command)
        supply.touch(house.changed[-1])
        await supply.refresh()
        assert free(supply) == left


@pytest.mark.parametrize(
    ("everywhere", "of_performance", "sale"),
    [
        (SaleState.OPEN, {}, SaleState.OPEN),
        (SaleState.STOPPED, {}, SaleState.STOPPED),
        (SaleState.OPEN, {PLAY: SaleState.STOPPED}, SaleState.OPEN),
        (SaleState.HOLDS_ONLY_FINISH, {PLAY: SaleState.STOPPED}, SaleState.HOLDS_ONLY_FINISH),
    ],
)
async def test_of_a_rooms_performances_the_one_under_which_most_goes_on_tells_its_state(
    sold_from: SqliteFile,
    clock: ManualClock,
    everywhere: SaleState,
    of_performance: Mapping[PerformanceId, SaleState],
    sale: SaleState,
) -> None:
    switches = SaleSwitches(everywhere=everywhere, of_performance=of_performance)
    supply = SqlSupply(sold_from, clock, lambda: switches)
    await supply.refresh()

    assert supply.of(MAIN_ROOM).sale is sale
    assert supply.of(MAIN_ROOM).can_be_held is (sale is SaleState.OPEN)
    assert supply.of(RoomId("nowhere")).sale is everywhere


async def test_a_switch_that_is_turned_shows_at_once(sold_from: SqliteFile, clock: ManualClock) -> None:
    turned = [ALL_OPEN]
    supply = SqlSupply(sold_from, clock, lambda: turned[0])
    await supply.refresh()
    before = supply.of(VIP_ROOM).sale

    turned[0] = SaleSwitches(everywhere=SaleState.STOPPED)

    assert (before, supply.of(VIP_ROOM).sale) == (SaleState.OPEN, SaleState.STOPPED)


async def test_free_seats_of_a_stopped_performance_hide_behind_those_of_an_open_one_and_not_behind_none(
    sold_from: SqliteFile, clock: ManualClock, house: House
) -> None:
    switches = SaleSwitches(of_performance={OPERA: SaleState.STOPPED})
    supply = SqlSupply(sold_from, clock, lambda: switches)
    await supply.refresh()
    before = supply.of(MAIN_ROOM).can_be_held
    await house.batch(*(reserve(100 + seat_id, seat_id) for seat_id in SEATS[PLAY]))
    supply.touch({PLAY})
    await supply.refresh()

    assert before
    assert supply.of(MAIN_ROOM).free > 0
    assert not supply.of(MAIN_ROOM).can_be_held
    assert supply.of(MAIN_ROOM).sale is SaleState.STOPPED
