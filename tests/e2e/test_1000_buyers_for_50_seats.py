"""A thousand buyers, three tries each, fifty seats: all are sold, each once, and the money adds up to the won."""

import asyncio
import random

from tests.e2e.harness.checkers import (
    GRANTED,
    SOLD_OUT,
    TAKEN,
    money_astray,
    paid_twice,
    seats_promised_twice,
    sold_out_too_soon,
    unexpected,
)
from tests.e2e.harness.evening import OPENING_BALANCE_WON, House
from tests.e2e.harness.fan import Fan, let_in
from tests.e2e.harness.programme import Staged, a_room, a_show
from tests.e2e.harness.promises import PAY, RESERVE, calls, granted, promises

SEATS = 50
ROOM = a_room("club-night", a_show(seats=SEATS), idle_timeout_ms=600_000)
ROOMS = (ROOM,)
BROKEN = "claims_ignored"
BUYERS = 1_000
TRIES = 3


async def try_for_a_seat(fan: Fan, show: Staged, wishes: list[int]) -> None:
    """Try one seat after another; pay for the first that is hers."""
    for seat_id in wishes:
        # By key: whom a database that answers late puts off cannot know what has happened, and asks again.
        held = await fan.reserve(show.schedule_id, seat_id, key=f"hold {seat_id}")
        if held.ok:
            await fan.pay(held.data["reservationId"], key="pay")
            return


async def crowd(fans: list[Fan], show: Staged) -> None:
    """Let everybody in, then all try at once. The seats they like are drawn from a seeded source."""
    await let_in(fans)
    dice = random.Random(50)
    wishes = [dice.sample(show.seat_ids, TRIES) for _ in fans]
    await asyncio.gather(*(try_for_a_seat(fan, show, wanted) for fan, wanted in zip(fans, wishes, strict=True)))


async def test_fifty_seats_are_sold_once_each(evening: House) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fans = evening.fans(BUYERS, client, ROOM.id)
        await crowd(fans, show)
        buyers = {answer.buyer_id for answer in granted(client.record, PAY)}
        balances = {fan.buyer_id: await fan.balance() for fan in fans if fan.buyer_id in buyers}

    sold = [seat_id for promise in promises(client.record) for seat_id in promise.seat_ids if promise.is_paid]
    assert unexpected(calls(client.record, RESERVE), GRANTED, TAKEN, SOLD_OUT) == []
    assert unexpected(calls(client.record, PAY), GRANTED) == []
    assert sorted(sold) == list(show.seat_ids)
    assert seats_promised_twice(client.record) == []
    assert sold_out_too_soon(client.record, SEATS) == []
    assert paid_twice(client.record) == []
    assert money_astray(client.record, opening=OPENING_BALANCE_WON, balances=balances) == []


async def test_control_a_server_that_ignores_claims_is_found_out(broken: House) -> None:
    async with broken.client() as client:
        await crowd(broken.fans(150, client, ROOM.id), broken.show(ROOM.id))

    assert seats_promised_twice(client.record) != []
