"""Money: whole won, double entry, never below zero, and every won can be traced."""

import asyncio

import pytest

from tests.e2e.harness.checkers import BALANCE, GRANTED, money_astray, unexpected
from tests.e2e.harness.evening import OPENING_BALANCE_WON, Evening, House
from tests.e2e.harness.programme import PRICE_WON, a_room, a_show

ROOM = a_room("wallets", a_show(seats=20, price_won=90_000))
ROOMS = (ROOM,)
UNREADABLE = (400, "400")
MOST_AT_ONCE = 10_000_000


@pytest.mark.parametrize("amount", [0, -1, MOST_AT_ONCE + 1, 1.5, "1000", True, None, [], 2**53])
async def test_an_amount_that_is_none(evening: Evening, amount: object) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.join()

        refused = await fan.charge(amount)
        balance = await fan.balance()

    assert refused.verdict == UNREADABLE
    assert balance == OPENING_BALANCE_WON


async def test_the_limits_themselves_are_fine(evening: Evening) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.join()

        answers = [await fan.charge(1), await fan.charge(MOST_AT_ONCE)]

    assert [answer.data["amount"] for answer in answers] == [
        OPENING_BALANCE_WON + 1,
        OPENING_BALANCE_WON + 1 + MOST_AT_ONCE,
    ]


async def test_charges_at_the_same_instant_add_up(evening: House) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.join()

        answers = await asyncio.gather(*(fan.charge(amount) for amount in range(1, 51)))
        balance = await fan.balance()

    assert unexpected(answers, GRANTED) == []
    assert money_astray(client.record, opening=OPENING_BALANCE_WON, balances={fan.buyer_id: balance}) == []
    assert len({answer.data["amount"] for answer in answers}) == len(answers)


async def test_payments_at_the_same_instant_never_overdraw(evening: House) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        held = [await fan.reserve(show.schedule_id, seat_id) for seat_id in show.seat_ids[:4]]

        paid = await asyncio.gather(*(fan.pay(answer.data["reservationId"]) for answer in held))
        balance = await fan.balance()
        kept = await fan.pay(next(answer.asked["reservationId"] for answer in paid if not answer.ok))

    assert unexpected(paid, GRANTED, BALANCE) == []
    assert [answer.status for answer in paid].count(200) == OPENING_BALANCE_WON // 90_000
    assert balance == OPENING_BALANCE_WON % 90_000
    assert kept.verdict == BALANCE


async def test_the_ledger_tells_every_won(evening: House) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        await fan.charge(PRICE_WON)
        held = await fan.reserve(show.schedule_id, show.seat_ids[10])
        paid = await fan.pay(held.data["reservationId"])

        ledger = await fan.mine("ledger")
        orders = await fan.mine("orders")
        reservations = await fan.mine("reservations")
        balance = await fan.balance()

    assert paid.data["paymentAmount"] == 90_000
    assert [abs(row["amount"]) for row in ledger] == [90_000, PRICE_WON, OPENING_BALANCE_WON]
    assert balance == OPENING_BALANCE_WON + PRICE_WON - 90_000
    assert [order["reservationId"] for order in orders] == [held.data["reservationId"]]
    assert [row["status"] for row in reservations] == ["RESERVED"]


async def test_who_has_no_place_any_more_still_has_her_money(evening: House) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.join()
        await fan.leave()

        charged = await fan.charge(5)
        balance = await fan.balance()

    assert charged.ok
    assert balance == OPENING_BALANCE_WON + 5
