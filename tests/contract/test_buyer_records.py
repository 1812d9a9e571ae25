"""What a buyer may read of her own dealings."""

from stagedoor.holds.model import HoldState
from stagedoor.kernel.clock import ManualClock
from tests.builders.sale import ANN, BOB, DEADLINE, NOON, a_place, pay, release, reserve
from tests.builders.store import House


async def test_her_holds_and_nobody_elses_newest_first(house: House, clock: ManualClock) -> None:
    await house.batch(reserve(ANN, 1, hold_id=1), release(ANN, hold_id=1), reserve(BOB, 2, hold_id=2))
    clock.advance(1)
    await house.one(reserve(ANN, 3, 4, hold_id=3))

    holds = await house.records.holds_of(ANN, limit=10)

    assert [(hold.id, hold.state) for hold in holds] == [(3, HoldState.OPEN), (1, HoldState.RELEASED)]
    assert await house.records.holds_of(ANN, limit=1) == holds[:1]


async def test_her_orders_newest_first_each_with_its_hold(house: House, clock: ManualClock) -> None:
    for turn in (1, 2, 3):
        clock.advance(1)
        await house.batch(
            reserve(ANN, turn, hold_id=turn, place=a_place(turn)), pay(ANN, hold_id=turn, order_id=70 + turn)
        )
    await house.batch(reserve(BOB, 9), pay(BOB))

    orders = await house.records.orders_of(ANN, limit=2)

    assert [(order.id, hold.id, [seat.seat_id for seat in hold.seats]) for order, hold in orders] == [
        (73, 3, [3]),
        (72, 2, [2]),
    ]


async def test_somebody_without_dealings(house: House) -> None:
    assert await house.records.holds_of(ANN, limit=10) == []
    assert await house.records.orders_of(ANN, limit=10) == []


async def test_what_is_open_at_an_instant(house: House, clock: ManualClock) -> None:
    await house.batch(reserve(ANN, 1), reserve(BOB, 2), pay(BOB), reserve(3, 3), release(3))
    clock.advance(1)
    await house.one(reserve(4, 4))

    assert [hold.buyer_id for hold in await house.records.open_holds(at=NOON)] == [ANN, 4]
    assert [hold.buyer_id for hold in await house.records.open_holds(at=DEADLINE)] == [4]
