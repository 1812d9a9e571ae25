"""The breaker before the sale is open: nobody buys, nobody is let in, and nobody who holds seats loses any time."""

from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evenings
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.promises import instant
from tests.e2e.harness.until import at_instant, until

ROOM = a_room("shut", a_show(seats=9), max_active=2, idle_timeout_ms=600_000, away_after_ms=600_000)
HOLD_SECONDS = "4"
LONGER_MS = 1_000
EXACT_MS = 250


async def steer(client: Client, operator: str, order: str) -> None:
    steered = await until(
        lambda: client.ask("POST", f"//ops/api/breakers/saleService/{order}", token=operator),
        lambda answer: answer.status != 401,  # until the server has seen the new key
    )
    assert steered.ok, str(steered)


async def status(client: Client) -> Answer:
    return await client.ask("GET", f"/queue/status?room={ROOM.id}")


def is_paused(answer: Answer) -> bool:
    return answer.data.get("admissionPaused") is True


async def test_it_is_an_outage_to_those_who_hold_seats(evenings: Evenings) -> None:
    with evenings(ROOM, HOLD_SECONDS=HOLD_SECONDS) as evening:
        operator = evening.cli("key", "create", "front-desk", "--role", "operate").strip()
        show = evening.show(ROOM.id)
        async with evening.client() as client:
            holder, leaver, waiting = evening.fans(3, client, ROOM.id)
            for fan in (holder, leaver):
                await fan.enter()
            await waiting.join()
            held = await holder.reserve(show.schedule_id, show.seat_ids[0])
            deadline = instant(held.data["reservedUntilAt"])

            before_at = now_ms()
            await steer(client, operator, "force-open")
            shut_at = now_ms()
            reserved, paid = (
                await leaver.reserve(show.schedule_id, show.seat_ids[1]),
                await holder.pay(held.data["reservationId"]),
            )
            left = await leaver.leave()
            poll, document = await until(waiting.check, is_paused), await until(lambda: status(client), is_paused)
            await at_instant(deadline + LONGER_MS)
            still = await waiting.check()
            [meanwhile] = await holder.mine("reservations")
            after_at = now_ms()
            await steer(client, operator, "close")
            open_at = now_ms()

            bought = await holder.pay(held.data["reservationId"])
            admitted = await waiting.admitted()
            [row] = await holder.mine("reservations")
        evening.check()

    assert shut_at < deadline, "the machine was too slow for the story"
    assert [(answer.status, int(answer.headers["retry-after"]) >= 1) for answer in (reserved, paid)] == [
        (503, True)
    ] * 2
    assert left.ok
    # The database works: what she sees is as new as ever, and only that nobody is let in is told.
    assert ["stale" in answer.data for answer in (poll, document)] == [False, False]
    assert (poll.data["estimatedWaitSeconds"], still.data["status"]) == (None, "WAITING")
    assert meanwhile["status"] == "TEMP_RESERVED"
    assert bought.ok, str(bought)
    assert admitted.data["status"] == "PROGRESS"
    given = instant(row["reservedUntilAt"]) - deadline
    assert after_at - shut_at <= given <= open_at - before_at + EXACT_MS
