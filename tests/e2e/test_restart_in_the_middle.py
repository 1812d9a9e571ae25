"""The server goes down in the middle of the crowd and comes back: every answer it gave is still true, and all go on."""

import asyncio
from collections.abc import Awaitable, Callable
from signal import SIGKILL, SIGTERM, Signals

import jwt
import pytest

from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.checkers import (
    Violations,
    admitted_out_of_order,
    keys_with_two_effects,
    money_astray,
    paid_twice,
    seats_promised_twice,
)
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import OPENING_BALANCE_WON, Evening, Evenings
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import Staged, a_room, a_show
from tests.e2e.harness.promises import PAY, granted, instant
from tests.e2e.harness.until import at_instant, until
from tests.e2e.harness.wire import ConnectionCutError

BUYERS = 150
ROOM = a_room("restart", a_show(seats=BUYERS + 10), max_active=25, entry_window_ms=60_000, idle_timeout_ms=60_000)
CHARGED = 10_000
PAID_BEFORE_IT_GOES_DOWN = 40


async def journey(fan: Fan, show: Staged, seat_id: int) -> None:
    """Join, wait, charge, hold, pay; the steps under keys, so that the way can be gone again from the start."""
    if not fan.token:
        await fan.join()
    stands = await until(fan.check, lambda answer: answer.data["status"] != "WAITING")
    if stands.data["status"] != "PROGRESS":
        return
    await fan.charge(CHARGED, key="charge")
    held = await fan.reserve(show.schedule_id, seat_id, key="hold")
    if held.ok:
        await fan.pay(held.data["reservationId"], key="pay")


async def as_far_as_it_goes(going: Awaitable[None]) -> None:
    """Stop where the server stops."""
    try:
        await going
    except (ConnectionCutError, ConnectionRefusedError, ConnectionResetError):
        return


async def everybody(fans: list[Fan], show: Staged, *, until_down: Callable[[], Awaitable[None]] | None = None) -> None:
    """Send everybody on her journey; *until_down* brings the server down meanwhile."""
    journeys = [journey(fan, show, seat_id) for fan, seat_id in zip(fans, show.seat_ids, strict=False)]
    if until_down is None:
        await asyncio.gather(*journeys)
    else:
        await asyncio.gather(until_down(), *(as_far_as_it_goes(going) for going in journeys))


def bring_down(evening: Evening, client: Client, how: Signals) -> Callable[[], Awaitable[None]]:
    """Return what waits until the crowd is in the middle of it and then ends the server."""

    async def payments() -> int:
        return len(granted(client.record, PAY))

    async def down() -> None:
        await until(payments, lambda count: count >= PAID_BEFORE_IT_GOES_DOWN, looks=2_000)
        evening.server.send_signal(how)
        await asyncio.to_thread(evening.server.ended)

    return down


def undone(before: list[Answer], after: list[Answer]) -> Violations:
    """What was over or inside before is not waiting, or gone, afterwards."""
    last = {answer.buyer_id: answer.data["status"] for answer in before if answer.path == "/queue/token/check"}
    first: dict[int, Answer] = {}
    for answer in after:
        first.setdefault(answer.buyer_id, answer)
    allowed = {"WAITING": {"WAITING", "PROGRESS"}, "PROGRESS": {"PROGRESS", "DONE"}, "DONE": {"DONE"}}
    return [
        f"was {status}: {first[buyer_id]}"
        for buyer_id, status in last.items()
        if not first[buyer_id].ok or first[buyer_id].data["status"] not in allowed[status]
    ]


def numbers(fans: list[Fan]) -> dict[int, int]:
    """Return the queue numbers of those who got one."""
    return {
        fan.buyer_id: jwt.decode(fan.token, options={"verify_signature": False})["num"] for fan in fans if fan.token
    }


async def down_and_up(evening: Evening, how: Signals) -> Violations:
    """Go down in the middle, come back, let everybody finish; return what is wrong with all that was told."""
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fans = evening.fans(BUYERS, client, ROOM.id)
        await everybody(fans, show, until_down=bring_down(evening, client, how))
    told, before = numbers(fans), list(client.record)

    evening.start_again()
    async with evening.client() as client:
        fans = [fan.at(client) for fan in fans]
        first = await asyncio.gather(*(fan.check() for fan in fans if fan.token))
        wrong = undone(before, list(first))
        await everybody(fans, show)
        balances = {fan.buyer_id: await fan.balance() for fan in fans}
        orders = [await fan.mine("orders") for fan in fans]
    record = before + client.record
    wrong += [
        f"number {told[buyer]} became {now}" for buyer, now in numbers(fans).items() if told.get(buyer, now) != now
    ]
    wrong += [f"{len(bought)} orders instead of one" for bought in orders if len(bought) != 1]
    wrong += admitted_out_of_order(record, numbers(fans))
    wrong += seats_promised_twice(record) + paid_twice(record) + keys_with_two_effects(record)
    return wrong + money_astray(record, opening=OPENING_BALANCE_WON, balances=balances)


@pytest.mark.parametrize("how", [SIGTERM, SIGKILL])
async def test_every_answer_is_still_true_and_the_line_goes_on(evenings: Evenings, how: Signals) -> None:
    with evenings(ROOM) as evening:
        assert await down_and_up(evening, how) == []
        evening.server.stop()
        evening.check()


async def test_the_time_without_a_server_is_given_back(evenings: Evenings) -> None:
    with evenings(ROOM, HOLD_SECONDS="2") as evening:
        show = evening.show(ROOM.id)
        async with evening.client() as client:
            fan = evening.fan(client, ROOM.id)
            await fan.enter()
            held = await fan.reserve(show.schedule_id, show.seat_ids[0])
            down_at = now_ms()
            evening.server.kill()
        deadline = instant(held.data["reservedUntilAt"])
        await at_instant(deadline + 100)
        evening.start_again()
        up_at = evening.server.ready_at
        async with evening.client() as client:
            fan = fan.at(client)
            [row] = await fan.mine("reservations")
            paid = await fan.pay(held.data["reservationId"])
        evening.server.stop()
        evening.check()

    assert instant(row["reservedUntilAt"]) - deadline >= up_at - down_at - 250
    assert paid.ok, str(paid)


async def test_control_a_server_that_answers_before_it_has_written_is_found_out(evenings: Evenings) -> None:
    with evenings(ROOM, mutant="answers_before_commit") as broken:
        assert await down_and_up(broken, SIGKILL) != []
