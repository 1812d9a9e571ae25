"""Seating: what is for sale, and what is left of it at an instant."""

from sqlalchemy import Connection, insert, update

from stagedoor.adapters.sql import tables
from stagedoor.adapters.sql.lanes import Lanes, Step
from stagedoor.kernel.clock import FOREVER, HOUR_MS, ManualClock, later
from stagedoor.kernel.ids import PerformanceId
from stagedoor.seating.model import Availability, ClaimState, Performance, Seat, SeatState
from tests.builders.sale import (
    ANN,
    BOB,
    DEADLINE,
    GALA,
    NOON,
    OPERA,
    OVER,
    PLAY,
    PRICE,
    pay,
    reserve,
)
from tests.builders.store import House


async def write(lanes: Lanes, step: Step[object]) -> None:
    async with lanes.writing() as transaction:
        await transaction.run(step)
        await transaction.commit(proof=lambda _: False)


async def test_performances_are_ordered_by_start_past_ones_too(house: House) -> None:
    performances = await house.seating.performances()

    assert [performance.id for performance in performances] == [OVER, PLAY, OPERA, GALA]
    assert performances[1] == Performance(
        id=PLAY,
        room_id=performances[0].room_id,
        title="Performance 1",
        venue="The Hall",
        starts_at=later(NOON, HOUR_MS),
        ends_at=later(NOON, 2 * HOUR_MS),
        time_zone="Asia/Seoul",
        seat_count=50,
        price_from_won=PRICE,
        price_to_won=PRICE,
    )


async def test_a_performance_that_is_added_or_moved_is_seen(house: House, lanes: Lanes) -> None:
    await house.seating.performances()

    def add(connection: Connection) -> None:
        connection.execute(
            insert(tables.performance).values(
                id=9, room_id="main", title="New", venue="V", starts_at=1, ends_at=2, time_zone="Asia/Seoul"
            )
        )
        seats = [
            {
                "id": 900 + position,
                "performance_id": 9,
                "position": position,
                "section": "A",
                "row_name": "1",
                "seat_number": position,
                "zone": "Z",
                "price_won": 1_000 * position,
            }
            for position in (1, 2, 3)
        ]
        connection.execute(insert(tables.seat), seats)
        connection.execute(update(tables.performance).where(tables.performance.c.id == PLAY).values(title="Moved"))

    await write(lanes, add)

    found = {performance.id: performance for performance in await house.seating.performances()}
    added = found[PerformanceId(9)]
    assert (added.seat_count, added.price_from_won, added.price_to_won) == (3, 1_000, 3_000)
    assert found[PLAY].title == "Moved"


async def test_a_performance_without_seats_is_there_all_the_same(house: House, lanes: Lanes) -> None:
    await write(
        lanes,
        lambda connection: (
            connection.execute(
                insert(tables.performance).values(
                    id=9, room_id="main", title="New", venue="V", starts_at=1, ends_at=2, time_zone="Asia/Seoul"
                )
            ).rowcount
        ),
    )

    [first, *_] = await house.seating.performances()
    left = await house.seating.availability(at=NOON)

    assert (first.id, first.seat_count) == (9, 0)
    assert left[PerformanceId(9)].free == 0


async def test_seats_are_ordered_by_position(house: House) -> None:
    seats = await house.seating.seats(OPERA)

    assert [seat.position for seat in seats] == list(range(1, 11))
    assert seats[0] == Seat(
        id=seats[0].id, position=1, section="Stalls", row="A", number=1, zone="one price", price_won=PRICE
    )
    assert seats[0].id == 51


async def test_an_unknown_performance_has_no_seats_and_no_claims(house: House) -> None:
    unknown = PerformanceId(404)

    assert await house.seating.seats(unknown) == []
    assert (await house.seating.claims(unknown, at=NOON)).states == {}


async def test_claims_and_counts_at_an_instant(house: House, clock: ManualClock, lanes: Lanes) -> None:
    await house.batch(reserve(ANN, 1, 2), reserve(BOB, 3, 4), pay(BOB))
    clock.advance(1_000)
    await house.one(reserve(3, 5))
    await write(
        lanes,
        lambda connection: (
            connection.execute(
                insert(tables.seat_claim).values(
                    seat_id=6, performance_id=PLAY, hold_id=None, state=ClaimState.BLOCKED, held_until=FOREVER
                )
            ).rowcount
        ),
    )

    claims = await house.seating.claims(PLAY, at=clock.now())
    left = (await house.seating.availability(at=clock.now()))[PLAY]

    held, sold, blocked = SeatState.HELD, SeatState.SOLD, SeatState.BLOCKED
    assert claims.states == {1: held, 2: held, 3: sold, 4: sold, 5: held, 6: blocked}
    assert (claims.as_of, claims.next_hold_ends_at) == (clock.now(), DEADLINE)
    assert left == Availability(performance_id=PLAY, free=44, held=3, sold=2, blocked=1, next_hold_ends_at=DEADLINE)


async def test_a_hold_claims_nothing_from_its_deadline_on(house: House) -> None:
    await house.one(reserve(ANN, 1))

    just_before = await house.seating.claims(PLAY, at=later(DEADLINE, -1))
    at_the_deadline = await house.seating.claims(PLAY, at=DEADLINE)

    assert just_before.states == {1: SeatState.HELD}
    assert at_the_deadline.states == {}
    assert at_the_deadline.next_hold_ends_at is None
    assert (await house.seating.availability(at=DEADLINE))[PLAY].free == 50


async def test_sold_out_is_when_nothing_could_come_back(house: House) -> None:
    for first in range(51, 61, 2):
        await house.one(reserve(first, first, first + 1, performance_id=OPERA))
    held = (await house.seating.availability(at=NOON))[OPERA]
    for first in range(51, 61, 2):
        await house.one(pay(first))
    sold = (await house.seating.availability(at=NOON))[OPERA]

    assert (held.free, held.held, held.is_sold_out) == (0, 10, False)
    assert (sold.free, sold.held, sold.is_sold_out) == (0, 0, True)
