"""The server goes down in the middle of the crowd and comes back: every answer it gave is still true, and all go on."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from signal import SIGKILL, SIGTERM, Signals

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
from tests.e2e.harness.promises import CHECK, PAY, calls, granted, instant, promises
from tests.e2e.harness.until import at_instant, until
from tests.e2e.harness.wire import ConnectionCutError

BUYERS = 75
POLL_SECONDS = 0.1
DOWN_BY = {
    how: a_room(how.name, a_show(seats=BUYERS), max_active=15, entry_window_ms=60_000, idle_timeout_ms=60_000)
    for how in (SIGTERM, SIGKILL)
}
OWN_ROOMS = tuple(DOWN_BY.values())
BROKEN = "answers_before_commit"
CHARGED = 10_000
PAID_BEFORE_IT_GOES_DOWN = 25


async def journey(fan: Fan, show: Staged, seat_id: int) -> None:
    """
    Join, wait, charge, hold, pay.

    The steps are under keys, so that the whole way can be gone again: whoever
    has paid already, told of it or not, gets her first answers again.
    """
    if not fan.token:
        await fan.join()
    await until(fan.check, lambda answer: answer.data["status"] != "WAITING", between_s=POLL_SECONDS)
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


MAY_BECOME = {"WAITING": {"WAITING", "PROGRESS"}, "PROGRESS": {"PROGRESS", "DONE"}, "DONE": {"DONE"}}


async def forgotten(fan: Fan, told: list[Answer]) -> Violations:
    """Return what she was told before that is not so any more."""
    stands = await fan.check()
    last = [answer.data["status"] for answer in calls(told, CHECK)]
    if not stands.ok or (last and stands.data["status"] not in MAY_BECOME[last[-1]]):
        return [f"was {last}: {stands}"]
    reserved = {row["reservationId"] for row in await fan.mine("reservations")}
    bought = {row["reservationId"] for row in await fan.mine("orders")}
    held = {promise.reservation_id for promise in promises(told)}
    paid = {promise.reservation_id for promise in promises(told) if promise.is_paid}
    return [f"{fan.buyer_id} lost reservations {held - reserved} and orders {paid - bought}"] * bool(
        held - reserved or paid - bought
    )


async def go_down(evening: Evening, how: Signals) -> tuple[list[Fan], list[Answer]]:
    """End the server in the middle of the crowd; return the crowd and what it was told."""
    async with evening.client() as client:
        fans = evening.fans(BUYERS, client, DOWN_BY[how].id)
        await everybody(fans, evening.show(DOWN_BY[how].id), until_down=bring_down(evening, client, how))
    return fans, client.record


async def look_back(fans: list[Fan], before: list[Answer]) -> Violations:
    """Ask everybody who was told anything whether it is still so."""
    told: dict[int, list[Answer]] = defaultdict(list)
    for answer in before:
        told[answer.buyer_id].append(answer)
    found = await asyncio.gather(*(forgotten(fan, told[fan.buyer_id]) for fan in fans if fan.token))
    return [wrong for violations in found for wrong in violations]


async def go_on(fans: list[Fan], show: Staged, before: list[Answer]) -> Violations:
    """Let everybody finish; return what is wrong with all that was told, before and after."""
    [client] = {fan.client for fan in fans}
    told = {fan.buyer_id: fan.number for fan in fans if fan.token}
    await everybody(fans, show)
    balances = {fan.buyer_id: await fan.balance() for fan in fans}
    bought = [len(await fan.mine("orders")) for fan in fans]
    numbers = {fan.buyer_id: fan.number for fan in fans}
    record = before + client.record
    wrong = [f"number {told[buyer]} became {now}" for buyer, now in numbers.items() if told.get(buyer, now) != now]
    wrong += [f"{count} orders instead of one" for count in bought if count != 1]
    wrong += admitted_out_of_order(record, numbers) + seats_promised_twice(record) + paid_twice(record)
    wrong += keys_with_two_effects(record)
    return wrong + money_astray(record, opening=OPENING_BALANCE_WON, balances=balances)


async def down_and_up(evening: Evening, how: Signals) -> Violations:
    """Go down, come back, look back, go on; return what is wrong."""
    fans, before = await go_down(evening, how)
    evening.start_again()
    async with evening.client() as client:
        fans = [fan.at(client) for fan in fans]
        return await look_back(fans, before) + await go_on(fans, evening.show(DOWN_BY[how].id), before)


async def test_every_answer_is_still_true_and_the_line_goes_on(evenings: Evenings) -> None:
    with evenings(*DOWN_BY.values()) as evening:
        wrong = {how.name: await down_and_up(evening, how) for how in DOWN_BY}
        evening.check()

    assert wrong == {"SIGTERM": [], "SIGKILL": []}


async def test_the_time_without_a_server_is_given_back(evenings: Evenings) -> None:
    room = a_room("given-back", a_show(seats=1))
    with evenings(room, HOLD_SECONDS="4") as evening:
        show = evening.show(room.id)
        async with evening.client() as client:
            fan = evening.fan(client, room.id)
            await fan.enter()
            held = await fan.reserve(show.schedule_id, show.seat_ids[0])
            evening.server.kill()
            down_at = now_ms()
        deadline = instant(held.data["reservedUntilAt"])
        await at_instant(deadline + 100)
        began_at = now_ms()
        evening.start_again()
        async with evening.client() as client:
            fan = fan.at(client)
            [row] = await fan.mine("reservations")
            paid = await fan.pay(held.data["reservationId"])
        evening.check()

    # For so long there was surely nobody; how long the new one took to start, only that one knows.
    assert instant(row["reservedUntilAt"]) - deadline >= began_at - down_at
    assert paid.ok, str(paid)


async def test_control_a_server_that_answers_before_it_has_written_is_found_out(broken: Evening) -> None:
    answer_first = broken.database.with_name("answer-first")
    answer_first.touch()
    fans, before = await go_down(broken, SIGKILL)
    answer_first.unlink()
    broken.start_again()
    async with broken.client() as client:
        assert await look_back([fan.at(client) for fan in fans], before) != []
