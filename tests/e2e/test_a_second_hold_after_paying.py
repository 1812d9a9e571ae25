"""Paying uses the place up: whoever wants more stands in line again."""

import asyncio

from tests.e2e.harness.checkers import (
    GRANTED,
    PLACE_OVER,
    held_after_the_place_was_over,
    unexpected,
)
from tests.e2e.harness.evening import Evening, House
from tests.e2e.harness.fan import Fan, let_in
from tests.e2e.harness.programme import Staged, a_room, a_show

ROOM = a_room("used-up", a_show(seats=60), idle_timeout_ms=600_000)
ROOMS = (ROOM,)
BROKEN = "used_up_places_forgotten"
BUYERS = 20


async def pay_and_want_more(fan: Fan, show: Staged, first: int, second: int, *, together: bool) -> None:
    """Hold and pay, *together* with a second wish or not, and wish again the moment the payment is answered."""
    held = await fan.reserve(show.schedule_id, first)
    paying = fan.pay(held.data["reservationId"])
    if together:
        paid, _ = await asyncio.gather(paying, fan.reserve(show.schedule_id, second))
    else:
        paid = await paying
    if paid.data["queueStatus"] == "DONE":
        await fan.reserve(show.schedule_id, second)


async def test_the_used_up_place_holds_nothing_more(evening: House) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        held = await fan.reserve(show.schedule_id, show.seat_ids[0])
        paid = await fan.pay(held.data["reservationId"])

        over = await fan.reserve(show.schedule_id, show.seat_ids[1])
        used_up = fan.token
        again = await fan.enter_anew()
        more = await fan.reserve(show.schedule_id, show.seat_ids[1])

    assert paid.data["queueStatus"] == "DONE"
    assert over.verdict == PLACE_OVER
    assert again.ok
    assert fan.token != used_up
    assert more.ok


async def test_it_opens_no_list_either_and_is_told_to_be_over(evening: Evening) -> None:
    """At once where she has paid; another process hears of it a moment later."""
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        held = await fan.reserve(show.schedule_id, show.seat_ids[5])
        await fan.pay(held.data["reservationId"])

        over = [await fan.schedule(), await fan.seats(show.schedule_id)]
        stands = await fan.check()

    assert unexpected(over, PLACE_OVER) == []
    assert (stands.data["status"], stands.data["queuePosition"]) == ("DONE", 0)


async def test_another_open_hold_keeps_the_place(evening: House) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        held = [await fan.reserve(show.schedule_id, seat_id) for seat_id in show.seat_ids[2:4]]

        paid = [await fan.pay(answer.data["reservationId"]) for answer in held]
        over = await fan.reserve(show.schedule_id, show.seat_ids[4])

    assert unexpected([*held, *paid], GRANTED) == []
    assert paid[1].data["queueStatus"] == "DONE"
    assert over.verdict == PLACE_OVER


async def crowd(evening: House) -> list[str]:
    """Let many buyers pay and want more at the same instant; return what was held under a used-up place."""
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fans = evening.fans(BUYERS, client, ROOM.id)
        await let_in(fans)
        seats = zip(fans, show.seat_ids[10::2], show.seat_ids[11::2], strict=False)
        wishes = [(fan, show, first, second) for fan, first, second in seats]
        await asyncio.gather(
            *(pay_and_want_more(*wish, together=number % 2 == 0) for number, wish in enumerate(wishes))
        )
    return held_after_the_place_was_over(client.record)


async def test_payment_and_second_wish_at_the_same_instant(evening: House) -> None:
    assert await crowd(evening) == []


async def test_control_a_server_that_reuses_places_is_found_out(broken: House) -> None:
    assert await crowd(broken) != []
