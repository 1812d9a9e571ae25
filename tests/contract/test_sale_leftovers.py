"""What the sale keeps for a while only: keys for a day, events for a week, closed places until nobody needs them."""

import pytest
from sqlalchemy import text

from stagedoor.adapters.sql.sale_leftovers import SqlSaleLeftovers
from stagedoor.checkout.outcomes import Settled
from stagedoor.kernel.clock import DAY_MS, FOREVER, ManualClock, later
from stagedoor.kernel.lease import Fence
from tests.builders.sale import ANN, BOB, NOON, a_key, charge, leave, pay, reserve
from tests.builders.store import House

LATER = later(NOON, 10 * DAY_MS)


@pytest.fixture
def leftovers(house: House) -> SqlSaleLeftovers:
    return SqlSaleLeftovers(house.lanes)


async def publish(house: House, *, at: int = NOON, leaving: int = 0) -> None:
    records = await house.outbox.waiting(limit=1_000, at=FOREVER)
    ids = [record.event_id for record in records]
    await house.outbox.published(ids[: len(ids) - leaving], at=later(NOON, at - NOON), fence=Fence(0))


async def count(house: House, table: str) -> int:
    return int(await house.lanes.reading(lambda c: c.scalar(text(f"SELECT COUNT(*) FROM {table}"))) or 0)  # noqa: S608 -- its own name


async def test_keys_are_removed_when_they_are_old_and_not_before(
    house: House, leftovers: SqlSaleLeftovers, clock: ManualClock
) -> None:
    await house.one(charge(ANN, key=a_key("old")))
    clock.advance(1)
    await house.one(charge(ANN, key=a_key("young")))

    assert await leftovers.forget_keys(stored_before=NOON, limit=10) == 0
    assert await leftovers.forget_keys(stored_before=later(NOON, 1), limit=10) == 1
    assert await leftovers.forget_keys(stored_before=later(NOON, 1), limit=10) == 0

    replayed = await house.one(charge(ANN, key=a_key("young")))
    assert isinstance(replayed, Settled)
    assert replayed.replayed


async def test_at_most_so_many_keys_a_call(house: House, leftovers: SqlSaleLeftovers) -> None:
    for number in range(5):
        await house.one(charge(ANN, key=a_key(f"k-{number}")))

    removed = [await leftovers.forget_keys(stored_before=LATER, limit=2) for _ in range(4)]

    assert removed == [2, 2, 1, 0]


async def test_published_events_are_removed_and_those_that_wait_are_not(house: House) -> None:
    await house.batch(reserve(ANN, 1), pay(ANN), reserve(BOB, 2))
    await publish(house, leaving=1)
    stored = await count(house, "outbox")

    assert await house.old_events.forget(published_before=NOON, limit=10) == 0
    assert await house.old_events.forget(published_before=LATER, limit=10) == stored - 1
    assert await house.old_events.forget(published_before=LATER, limit=10) == 0
    assert len(await house.events()) == 1


async def test_an_event_that_was_sent_twice_is_removed_too(house: House) -> None:
    await house.one(reserve(ANN, 1))
    [record] = await house.outbox.waiting(limit=10, at=NOON)
    await house.outbox.failed([record.event_id], at=NOON, cause="refused", fence=Fence(0))
    await house.outbox.published([record.event_id], at=NOON, fence=Fence(0))

    assert await house.old_events.forget(published_before=LATER, limit=10) == 1


async def test_at_most_so_many_events_a_call(house: House) -> None:
    for seat_id in range(1, 6):
        await house.one(reserve(seat_id, seat_id))
    await publish(house)

    assert [await house.old_events.forget(published_before=LATER, limit=2) for _ in range(4)] == [2, 2, 1, 0]


async def test_a_closed_place_is_kept_until_what_closed_it_is_forgotten(
    house: House, leftovers: SqlSaleLeftovers, clock: ManualClock
) -> None:
    await house.batch(reserve(ANN, 1), leave(ANN))
    clock.advance(DAY_MS)
    await house.batch(reserve(BOB, 2), leave(BOB))

    assert await leftovers.forget_closed_places(closed_before=LATER, limit=10) == 0
    await publish(house)
    assert await leftovers.forget_closed_places(closed_before=LATER, limit=10) == 0
    await house.old_events.forget(published_before=LATER, limit=3)
    assert await leftovers.forget_closed_places(closed_before=later(NOON, 1), limit=10) == 1
    await house.old_events.forget(published_before=LATER, limit=10)
    assert await leftovers.forget_closed_places(closed_before=LATER, limit=10) == 1
    assert await count(house, "closed_place") == 0


async def test_closed_places_are_looked_through_stretch_by_stretch(house: House, leftovers: SqlSaleLeftovers) -> None:
    for buyer in range(1, 6):
        await house.batch(reserve(buyer, buyer), leave(buyer))
    await publish(house)
    await house.old_events.forget(published_before=LATER, limit=100)

    removed = [await leftovers.forget_closed_places(closed_before=LATER, limit=2) for _ in range(4)]

    assert removed == [2, 2, 1, 0]
