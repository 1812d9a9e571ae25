"""Four seats of a performance are the most one buyer may hold and own, over all places she ever had."""

import asyncio

from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.checkers import GRANTED, LIMIT, more_seats_than_allowed, unexpected
from tests.e2e.harness.evening import House
from tests.e2e.harness.programme import a_room, a_show

ROOM = a_room("four-each", a_show(seats=30), a_show(seats=4, in_days=31))
ROOMS = (ROOM,)
BROKEN = "limit_ignored"
MOST = 4


async def grab(evening: House) -> list[Answer]:
    """Ask for twelve seats one by one, all at once."""
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        return list(await asyncio.gather(*(fan.reserve(show.schedule_id, seat) for seat in show.seat_ids[:12])))


async def test_of_twelve_at_once_she_gets_four(evening: House) -> None:
    answers = await grab(evening)

    assert unexpected(answers, GRANTED, LIMIT) == []
    assert [answer.verdict for answer in answers].count(GRANTED) == MOST
    assert more_seats_than_allowed(answers, MOST, at=now_ms()) == []


async def test_control_a_server_that_does_not_count_is_found_out(broken: House) -> None:
    answers = await grab(broken)

    assert more_seats_than_allowed(answers, MOST, at=now_ms()) != []


async def test_what_she_bought_before_counts_and_other_nights_do_not(evening: House) -> None:
    first_night, second_night = evening.show(ROOM.id, 0), evening.show(ROOM.id, 1)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        held = await fan.reserve(first_night.schedule_id, *first_night.seat_ids[20:23])
        await fan.pay(held.data["reservationId"])
        await fan.enter_anew()

        two_more = await fan.reserve(first_night.schedule_id, *first_night.seat_ids[24:26])
        one_more = await fan.reserve(first_night.schedule_id, first_night.seat_ids[26])
        other_night = await fan.reserve(second_night.schedule_id, *second_night.seat_ids)

    assert two_more.verdict == LIMIT
    assert one_more.ok, str(one_more)
    assert other_night.ok, str(other_night)


async def test_what_she_let_go_does_not_count(evening: House) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        held = await fan.reserve(show.schedule_id, *show.seat_ids[12:16])
        await fan.release(held.data["reservationId"])

        others = await fan.reserve(show.schedule_id, *show.seat_ids[16:20])

    assert others.ok, str(others)
