"""She presses "pay" twenty times: she pays once, and is told that she has."""

import asyncio

from tests.e2e.harness.checkers import GRANTED, PAID_ALREADY, money_astray, paid_twice, unexpected
from tests.e2e.harness.evening import OPENING_BALANCE_WON, House
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import PRICE_WON, Staged, a_room, a_show
from tests.e2e.harness.promises import PAY, calls

ROOM = a_room("pay-twice", a_show(seats=10))
ROOMS = (ROOM,)
BROKEN = "paid_forgotten"
TIMES = 20


async def pay_at_once(fan: Fan, show: Staged) -> int:
    """Hold a seat, pay for it many times at once, and return the balance after."""
    await fan.enter()
    held = await fan.reserve(show.schedule_id, show.seat_ids[0])
    await asyncio.gather(*(fan.pay(held.data["reservationId"]) for _ in range(TIMES)))
    return await fan.balance()


async def test_the_money_leaves_once(evening: House) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        balance = await pay_at_once(fan, evening.show(ROOM.id))
        ledger = await fan.mine("ledger")
        orders = await fan.mine("orders")

    payments = calls(client.record, PAY)
    assert unexpected(payments, GRANTED, PAID_ALREADY) == []
    assert [answer.verdict for answer in payments].count(GRANTED) == 1
    assert paid_twice(client.record) == []
    assert money_astray(client.record, opening=OPENING_BALANCE_WON, balances={fan.buyer_id: balance}) == []
    assert balance == OPENING_BALANCE_WON - PRICE_WON
    assert len(orders) == 1
    assert len(ledger) == 2


async def test_control_a_server_that_forgets_payments_is_found_out(broken: House) -> None:
    async with broken.client() as client:
        fan = broken.fan(client, ROOM.id)
        balance = await pay_at_once(fan, broken.show(ROOM.id))

    wrong = money_astray(client.record, opening=OPENING_BALANCE_WON, balances={fan.buyer_id: balance})
    assert paid_twice(client.record) + wrong != []
