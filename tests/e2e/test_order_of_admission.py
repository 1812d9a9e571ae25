"""Who came first goes first: numbers come from one counter, and admission follows them, never who polls first."""

import asyncio

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.checkers import (
    Violations,
    admitted_out_of_order,
    admitted_too_fast,
    positions_that_rose,
    too_many_inside,
)
from tests.e2e.harness.evening import Evening, House
from tests.e2e.harness.fan import Fan, let_in
from tests.e2e.harness.programme import a_room, a_show

CROWD = 2_000
MAX_ACTIVE = 4
NARROW_CROWD, METERED_CROWD = 60, 50
CROWDED = a_room("crowded", a_show(seats=1), state="PAUSED")
NARROW = a_room("narrow", a_show(seats=50), max_active=MAX_ACTIVE)
RATE = 25.0
METERED = a_room("metered", a_show(seats=50), rate=RATE)
UNLIMITED = a_room("unlimited", a_show(seats=1))
ROOMS = (CROWDED, NARROW, METERED, UNLIMITED)
BROKEN = "last_come_first_served"


async def test_two_thousand_at_once_get_two_thousand_numbers(evening: Evening) -> None:
    async with evening.client() as client:
        fans = evening.fans(CROWD, client, CROWDED.id)

        joined = await asyncio.gather(*(fan.join() for fan in fans))
        checked = await asyncio.gather(*(fan.check() for fan in fans))

    assert {answer.status for answer in [*joined, *checked]} == {200}
    assert {answer.data["status"] for answer in checked} == {"WAITING"}
    assert len({fan.number for fan in fans}) == CROWD
    by_number = sorted(zip(fans, checked, strict=True), key=lambda pair: pair[0].number)
    assert [answer.data["queuePosition"] for _, answer in by_number] == list(range(1, CROWD + 1))


async def through_the_door(fan: Fan) -> None:
    """Wait for admission, look around, go."""
    await fan.admitted()
    await fan.schedule()
    await fan.leave()


async def narrow_door(evening: House) -> tuple[list[Answer], Violations]:
    """Let a crowd through a narrow door; return the record, and who was overtaken."""
    async with evening.client() as client:
        fans = evening.fans(NARROW_CROWD, client, NARROW.id)
        await asyncio.gather(*(fan.join() for fan in fans))

        # Those at the back poll first, and everybody polls as fast as she can.
        await asyncio.gather(*(through_the_door(fan) for fan in sorted(fans, key=lambda fan: fan.number, reverse=True)))
    overtaken = admitted_out_of_order(client.record, {fan.buyer_id: fan.number for fan in fans})
    return client.record, overtaken + positions_that_rose(client.record)


async def test_a_narrow_door_is_passed_in_order(evening: Evening) -> None:
    record, overtaken = await narrow_door(evening)

    assert overtaken == []
    assert too_many_inside(record, MAX_ACTIVE) == []


async def test_control_a_server_that_admits_the_last_first_is_found_out(broken: Evening) -> None:
    _, overtaken = await narrow_door(broken)

    assert overtaken != []


async def metered_door(evening: House) -> tuple[list[Answer], Violations]:
    """Let a crowd through a metered door; return the record, and who was overtaken."""
    async with evening.client() as client:
        fans = evening.fans(METERED_CROWD, client, METERED.id)
        await asyncio.gather(*(fan.join() for fan in fans))

        await asyncio.gather(*(fan.admitted() for fan in fans))
    return client.record, admitted_out_of_order(client.record, {fan.buyer_id: fan.number for fan in fans})


async def test_a_metered_door_keeps_its_rate(evening: Evening) -> None:
    record, overtaken = await metered_door(evening)

    assert admitted_too_fast(record, RATE) == []
    assert overtaken == []


async def test_control_a_door_without_limits_is_found_out(evening: Evening) -> None:
    async with evening.client() as client:
        await let_in(evening.fans(60, client, UNLIMITED.id))

    assert too_many_inside(client.record, MAX_ACTIVE) != []
    # They join one after another, so how fast they get in is up to this machine; nowhere is it as slow as this.
    assert admitted_too_fast(client.record, 2.0) != []


async def test_asking_again_keeps_the_place_and_leaving_loses_it(evening: House) -> None:
    async with evening.client() as client:
        first, second = evening.fans(2, client, CROWDED.id)
        await first.join()
        await second.join()
        mine, behind = first.token, second.number

        again = await first.join()
        await first.leave()
        after_leaving = await first.join()

    assert again.data["queueToken"] == mine
    assert after_leaving.data["queueToken"] != mine
    assert first.number > behind
