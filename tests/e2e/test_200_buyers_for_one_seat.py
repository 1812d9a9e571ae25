"""Two hundred buyers want the one seat there is: one gets it, and nobody is told that it is sold before it is."""

import asyncio

from tests.e2e.harness.checkers import (
    GRANTED,
    SOLD_OUT,
    TAKEN,
    seats_promised_twice,
    sold_out_too_soon,
    unexpected,
)
from tests.e2e.harness.evening import House
from tests.e2e.harness.fan import let_in
from tests.e2e.harness.programme import a_room, a_show

ROOM = a_room("one-seat", a_show(seats=1), idle_timeout_ms=600_000)
ROOMS = (ROOM,)
BROKEN = "claims_ignored"
BUYERS = 200


async def test_one_buyer_wins_and_the_others_are_told_why(evening: House) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fans = evening.fans(BUYERS, client, ROOM.id)
        await let_in(fans)

        # By key: whom a database that answers late puts off cannot know what has happened, and asks again.
        held = await asyncio.gather(*(fan.reserve(show.schedule_id, *show.seat_ids, key="hold") for fan in fans))
        winner = next(fan for fan, answer in zip(fans, held, strict=True) if answer.ok)
        reservation_id = next(answer.data["reservationId"] for answer in held if answer.ok)
        paid = await winner.pay(reservation_id, key="pay")
        losers = [fan for fan in fans if fan is not winner]
        sold_out = await asyncio.gather(*(fan.reserve(show.schedule_id, *show.seat_ids) for fan in losers))

    assert [answer.verdict for answer in held].count(GRANTED) == 1
    assert unexpected(held, GRANTED, TAKEN) == []
    assert paid.data["seatStatus"] == "RESERVED"
    assert unexpected(sold_out, SOLD_OUT) == []
    assert seats_promised_twice(client.record) == []
    assert sold_out_too_soon(client.record, seat_count=1) == []


async def test_control_a_server_that_ignores_claims_is_found_out(broken: House) -> None:
    show = broken.show(ROOM.id)
    async with broken.client() as client:
        fans = broken.fans(20, client, ROOM.id)
        await let_in(fans)

        await asyncio.gather(*(fan.reserve(show.schedule_id, *show.seat_ids) for fan in fans))

    assert seats_promised_twice(client.record) != []
