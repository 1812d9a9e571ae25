"""
The breaker before the sale is open: nobody buys, nobody is let in, and nobody who holds seats loses any time.

The one before the reads is: who is known joins on, whoever comes with her, and an order to stop the sale is heard.
"""

import asyncio
import sqlite3
from contextlib import closing

from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening, Evenings
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.promises import instant
from tests.e2e.harness.until import at_instant, until

ROOM = a_room("shut", a_show(seats=9), max_active=2, idle_timeout_ms=600_000, away_after_ms=600_000)
NOBODYS_ID = 987_654_321
HOLD_SECONDS = "4"
LONGER_MS = 1_000


async def steer(client: Client, operator: str, order: str, *, breaker: str = "saleService") -> None:
    steered = await until(
        lambda: client.ask("POST", f"//ops/api/breakers/{breaker}/{order}", token=operator),
        lambda answer: answer.status != 401,  # until the server has seen the new key
    )
    assert steered.ok, str(steered)


async def status(client: Client) -> Answer:
    return await client.ask("GET", f"/queue/status?room={ROOM.id}")


def read(evening: Evening, query: str) -> list[tuple[int, ...]]:
    with closing(sqlite3.connect(evening.database)) as reader:
        return reader.execute(query).fetchall()


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

            [(alive_at,)] = read(evening, "SELECT alive_at FROM clock_stop")
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

            bought = await holder.pay(held.data["reservationId"])
            bought_at = now_ms()
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
    # From the last sign of life to the first after it, and no longer: exactly what was written down.
    outages = read(evening, "SELECT began_at, ended_at, credited_ms FROM outage ORDER BY id")
    [stop] = [one for one in outages if one[0] <= shut_at and one[1] >= after_at]
    began_at, ended_at, credited_ms = stop
    assert alive_at <= began_at
    assert ended_at <= bought_at
    assert credited_ms == ended_at - began_at
    placed_at = instant(held.data["reservedAt"])
    given = instant(row["reservedUntilAt"]) - deadline
    assert given == sum(min(credited, ended - placed_at) for _, ended, credited in outages if ended > placed_at)


async def test_while_nobody_can_be_looked_for_who_is_known_joins_on_beside_a_stranger(evenings: Evenings) -> None:
    with evenings(ROOM) as evening:
        operator = evening.cli("key", "create", "front-desk", "--role", "operate").strip()
        async with evening.client() as client:
            fans = evening.fans(20, client, ROOM.id)
            stranger = Fan(client=client, buyer_id=NOBODYS_ID, room_id=ROOM.id)
            first = await asyncio.gather(*(fan.join() for fan in fans))
            before = await stranger.join()

            await steer(client, operator, "force-open", breaker="databaseReads")
            # At once, so that they come into one batch; each gets her own answer however they are batched.
            *again, put_off = await asyncio.gather(*(fan.join() for fan in fans), stranger.join())
            await steer(client, operator, "close", breaker="databaseReads")
            after = await stranger.join()
        evening.check()

    assert [answer.status for answer in (*first, *again)] == [200] * 40
    assert [answer.data["queueToken"] for answer in again] == [answer.data["queueToken"] for answer in first]
    assert [answer.status for answer in (before, put_off, after)] == [404, 503, 404]


async def test_while_reads_are_refused_a_stop_is_heard_and_that_nobody_is_let_in_is_told(evenings: Evenings) -> None:
    with evenings(ROOM) as evening:
        operator = evening.cli("key", "create", "front-desk", "--role", "operate").strip()
        show = evening.show(ROOM.id)
        async with evening.client() as client:
            fan = evening.fan(client, ROOM.id)
            await fan.enter()
            held = await fan.reserve(show.schedule_id, show.seat_ids[0])
            await steer(client, operator, "force-open", breaker="databaseReads")
            await until(lambda: status(client), is_paused)
            causes = (await client.ask("GET", "//metrics")).raw.decode()
            still_sold = await fan.reserve(show.schedule_id, show.seat_ids[1])

            turned = await client.ask("POST", "//ops/api/sale", body={"saleState": "STOPPED"}, token=operator)
            unpaid = await fan.pay(held.data["reservationId"])
            evening.cli("sale", "finish")
            await until(lambda: status(client), lambda answer: answer.data["saleState"] == "HOLDS_ONLY_FINISH")
            unreserved = await fan.reserve(show.schedule_id, show.seat_ids[2])
            paid = await fan.pay(held.data["reservationId"])
        evening.check()

    assert 'stagedoor_admission_paused{cause="reads"} 1.0' in causes
    assert (still_sold.ok, paid.ok) == (True, True)
    assert turned.data["saleState"] == "STOPPED"
    assert [answer.verdict for answer in (unpaid, unreserved)] == [(503, "503")] * 2
