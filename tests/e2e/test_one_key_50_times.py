"""The same charge arrives fifty times at once under one key: the money comes once, the answer fifty times."""

import asyncio

from tests.e2e.harness.checkers import GRANTED, keys_with_two_effects, unexpected
from tests.e2e.harness.evening import OPENING_BALANCE_WON, House
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.promises import CHARGE, calls

ROOM = a_room("one-key", a_show(seats=4))
ROOMS = (ROOM,)
BROKEN = "keys_forgotten"
TIMES = 50


async def charge_at_once(fan: Fan) -> int:
    """Send one charge many times under one key and return the balance after."""
    await fan.join()
    await asyncio.gather(*(fan.charge(50_000, key="the one charge") for _ in range(TIMES)))
    return await fan.balance()


async def test_one_effect_and_fifty_equal_answers(evening: House) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        balance = await charge_at_once(fan)

    charges = calls(client.record, CHARGE)
    assert unexpected(charges, GRANTED) == []
    assert sum(answer.replayed for answer in charges) == TIMES - 1
    assert keys_with_two_effects(client.record) == []
    assert balance == OPENING_BALANCE_WON + 50_000


async def test_the_same_key_with_another_body_is_refused(evening: House) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.join()
        first = await fan.charge(1_000, key="k")

        other = await fan.charge(2_000, key="k")
        again = await fan.charge(1_000, key="k")
        balance = await fan.balance()

    assert other.verdict == (422, "422")
    assert again.raw == first.raw
    assert balance == OPENING_BALANCE_WON + 1_000


async def test_a_key_is_a_buyers_own_and_a_calls_own(evening: House) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        her, him = evening.fans(2, client, ROOM.id)
        await asyncio.gather(her.enter(), him.enter())

        hers = await her.charge(1_000, key="shared words")
        his = await him.charge(2_000, key="shared words")
        held = await her.reserve(show.schedule_id, show.seat_ids[0], key="shared words")

    assert unexpected([hers, his, held], GRANTED) == []
    assert not any(answer.replayed for answer in (hers, his, held))


async def test_a_refusal_stores_no_key(evening: House) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        her, him = evening.fans(2, client, ROOM.id)
        await asyncio.gather(her.enter(), him.enter())
        held = await her.reserve(show.schedule_id, show.seat_ids[1])

        refused = await him.reserve(show.schedule_id, show.seat_ids[1], key="try")
        await her.release(held.data["reservationId"])
        granted = await him.reserve(show.schedule_id, show.seat_ids[1], key="try")

    assert refused.verdict == (409, "004")
    assert granted.ok
    assert not granted.replayed


async def test_every_changing_call_gives_its_first_answer_again(evening: House) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        joined = [await fan.join(key="join")]
        await fan.admitted()
        joined.append(await fan.join(key="join"))
        held = [await fan.reserve(show.schedule_id, show.seat_ids[2], key="hold") for _ in range(2)]
        let_go = [await fan.release(held[0].data["reservationId"], key="let go") for _ in range(2)]
        other = await fan.reserve(show.schedule_id, show.seat_ids[3])
        paid = [await fan.pay(other.data["reservationId"], key="pay") for _ in range(2)]
        left = [await fan.leave(key="leave") for _ in range(2)]

    for first, second in (joined, held, let_go, paid, left):
        assert first.ok, str(first)
        assert (first.replayed, second.replayed) == (False, True), str(second)
        assert second.raw == first.raw


async def test_control_a_server_that_forgets_keys_is_found_out(broken: House) -> None:
    async with broken.client() as client:
        fan = broken.fan(client, ROOM.id)
        balance = await charge_at_once(fan)

    assert keys_with_two_effects(client.record) != []
    assert balance != OPENING_BALANCE_WON + 50_000
