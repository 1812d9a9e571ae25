"""Nothing is free and a line stands: nobody is let in to see empty shelves, and a seat that comes back lets one in."""

import asyncio

from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.checkers import admitted_between
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.fan import let_in, waits
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.until import always, until, watch

ONE_BY_ONE = a_room("one-by-one", a_show(seats=2), max_active=2)
ROOMY = a_room("roomy", a_show(seats=2), max_active=10)
TOLD = a_room("told", a_show(seats=2), max_active=10)
ROOMS = (ONE_BY_ONE, ROOMY, TOLD)
BROKEN = "supply_ignored"
TICKS_LOOKS = 20


async def everybody_sees(client: Client, room_id: str) -> Answer:
    """Read the document for everybody."""
    return await client.ask("GET", f"/queue/status?room={room_id}")


async def test_a_seat_that_comes_back_lets_exactly_the_next_one_in(evening: Evening) -> None:
    show = evening.show(ONE_BY_ONE.id)
    async with evening.client() as client:
        first, second, third, fourth, fifth = evening.fans(5, client, ONE_BY_ONE.id)
        await let_in([first, second])
        await first.reserve(show.schedule_id, show.seat_ids[0])
        held = await second.reserve(show.schedule_id, show.seat_ids[1])
        for fan in (third, fourth, fifth):
            await fan.join()

        await first.leave()
        inside = await third.admitted()
        await always(fourth.check, waits, looks=TICKS_LOOKS)
        taken = await third.reserve(show.schedule_id, show.seat_ids[0])
        await until(lambda: everybody_sees(client, ONE_BY_ONE.id), lambda answer: answer.data["free"] == 0)
        await second.pay(held.data["reservationId"])
        await always(fourth.check, waits, looks=TICKS_LOOKS)
        await third.release(taken.data["reservationId"])
        await fourth.admitted()
        positions = [(await fan.check()).data["queuePosition"] for fan in (fourth, fifth)]

    assert inside.data["queuePosition"] == 0
    assert positions == [0, 1]


async def nobody_enters_while_nothing_is_free(evening: Evening) -> list[str]:
    """Hold all there is, let others join although slots are free, and watch a while; return who was let in."""
    show = evening.show(ROOMY.id)
    async with evening.client() as client:
        holder, *others = evening.fans(4, client, ROOMY.id)
        await let_in([holder])
        held = await holder.reserve(show.schedule_id, *show.seat_ids)
        assert held.ok, str(held)
        await until(lambda: everybody_sees(client, ROOMY.id), lambda answer: answer.data["free"] == 0)
        start = now_ms()
        for fan in others:
            await fan.join()
        await watch(lambda: asyncio.gather(*(fan.check() for fan in others)), looks=TICKS_LOOKS)
        end = now_ms()
        await holder.release(held.data["reservationId"])
    return admitted_between(client.record, {fan.buyer_id for fan in others}, start, end)


async def test_free_slots_alone_let_nobody_in(evening: Evening) -> None:
    assert await nobody_enters_while_nothing_is_free(evening) == []


async def test_control_a_server_that_does_not_look_at_the_shelves_is_found_out(broken: Evening) -> None:
    assert await nobody_enters_while_nothing_is_free(broken) != []


async def test_everybody_is_told_what_is_left(evening: Evening) -> None:
    show = evening.show(TOLD.id)
    async with evening.client() as client:
        holder, waiter = evening.fans(2, client, TOLD.id)
        await let_in([holder])
        held = await holder.reserve(show.schedule_id, *show.seat_ids)
        await until(lambda: everybody_sees(client, TOLD.id), lambda answer: answer.data["free"] == 0)
        await waiter.join()
        while_held = [(await waiter.check()).data, (await everybody_sees(client, TOLD.id)).data]
        await holder.pay(held.data["reservationId"])
        after = await until(waiter.check, lambda answer: answer.data["soldOut"])
        everybody = await until(lambda: everybody_sees(client, TOLD.id), lambda answer: answer.data["soldOut"])

    for told in while_held:
        assert (told["soldOut"], told["free"], told["held"]) == (False, 0, 2)
        assert 200 < told["nextHoldEndsInSeconds"] <= 300
    for told in (after.data, everybody.data):
        assert (told["soldOut"], told["free"], told["held"]) == (True, 0, 0)
        assert told.get("nextHoldEndsInSeconds") is None
    assert after.data["status"] == "WAITING"
