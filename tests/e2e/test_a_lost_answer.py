"""The answer never arrives: asking again gives it, and nothing happens twice."""

import asyncio

from tests.e2e.harness.checkers import keys_with_two_effects
from tests.e2e.harness.evening import OPENING_BALANCE_WON, House
from tests.e2e.harness.fan import Fan, wanted
from tests.e2e.harness.programme import PRICE_WON, a_room, a_show
from tests.e2e.harness.until import until

ROOM = a_room("lost-answers", a_show(seats=40))
ROOMS = (ROOM,)
BROKEN = "keys_forgotten"
TIMES = 10


async def hang_up_then_ask_again(evening: House) -> tuple[list[str], int, int]:
    """Charge, losing the answer, and charge again under the same key; return what is wrong, and the balances."""
    async with evening.client() as client:
        fans = evening.fans(TIMES, client, ROOM.id)
        await asyncio.gather(*(fan.join() for fan in fans))
        for fan in fans:
            await client.send_and_hang_up("POST", "/user/amount", body={"amount": 7_000}, token=fan.token, key="once")
            await fan.charge(7_000, key="once")
            await fan.charge(7_000, key="once")
        balances = [await fan.balance() for fan in fans]
    wrong = keys_with_two_effects(client.record)
    return wrong, min(balances), max(balances)


async def test_a_charge_comes_once(evening: House) -> None:
    wrong, lowest, highest = await hang_up_then_ask_again(evening)

    assert wrong == []
    assert (lowest, highest) == (OPENING_BALANCE_WON + 7_000, OPENING_BALANCE_WON + 7_000)


async def test_control_a_server_that_forgets_keys_is_found_out(broken: House) -> None:
    wrong, lowest, _ = await hang_up_then_ask_again(broken)

    assert wrong != []
    assert lowest > OPENING_BALANCE_WON + 7_000


async def reservations(fan: Fan) -> list[int]:
    """Return the ids of what she has reserved."""
    return [row["reservationId"] for row in await fan.mine("reservations")]


async def test_a_reservation_asked_for_again_with_its_key_is_the_first(evening: House) -> None:
    show = evening.show(ROOM.id)
    seat_id = show.seat_ids[0]
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        lost = wanted(show.schedule_id, seat_id)
        await client.send_and_hang_up("POST", "/concerts/reserve", body=lost, token=fan.token, key="mine")

        answers = [await fan.reserve(show.schedule_id, seat_id, key="mine") for _ in range(2)]
        mine = await reservations(fan)

    assert {answer.raw for answer in answers} == {answers[0].raw}
    assert mine == [answers[0].data["reservationId"]]


async def test_without_a_key_she_gets_the_reservation_she_has(evening: House) -> None:
    show = evening.show(ROOM.id)
    seat_ids = show.seat_ids[1:4]
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        lost = wanted(show.schedule_id, *seat_ids)
        await client.send_and_hang_up("POST", "/concerts/reserve", body=lost, token=fan.token, key=None)
        await until(lambda: reservations(fan), lambda mine: len(mine) == 1)

        first = await fan.reserve(show.schedule_id, *seat_ids)
        turned = await fan.reserve(show.schedule_id, *reversed(seat_ids))
        mine = await reservations(fan)

    assert mine == [first.data["reservationId"]]
    for name in ("reservationId", "reservedUntilDate", "reservedUntilAt", "reservedAt"):
        assert first.data[name] == turned.data[name]


async def test_a_payment_whose_answer_was_lost_is_answered_again(evening: House) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        held = await fan.reserve(show.schedule_id, show.seat_ids[4])
        owed = {"reservationId": held.data["reservationId"]}
        await client.send_and_hang_up("POST", "/concerts/payment", body=owed, token=fan.token, key="pay")

        paid = await fan.pay(held.data["reservationId"], key="pay")
        again = await fan.pay(held.data["reservationId"], key="pay")
        balance = await fan.balance()

    assert paid.ok, str(paid)
    assert again.raw == paid.raw
    assert again.replayed
    assert balance == OPENING_BALANCE_WON - PRICE_WON
