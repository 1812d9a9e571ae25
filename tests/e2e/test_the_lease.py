"""A place inside is lent: silence ends it, held seats keep it, and no evening inside lasts for ever."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.checkers import PLACE_OVER, unexpected
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.fan import Fan, waits
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.promises import instant
from tests.e2e.harness.until import always, until, watch

# Long enough for a busy machine to come to a story's next call in time.
IDLE_MS = 2_000
SESSION_MS = 3_000
IDLE = a_room("idle", a_show(seats=9), max_active=1, idle_timeout_ms=IDLE_MS)
HOLDING = a_room("holding", a_show(seats=9), max_active=1, idle_timeout_ms=IDLE_MS)
LONG_STAY = a_room("long-stay", a_show(seats=9), max_active=1, session_max_ms=SESSION_MS)
ROOMS = (IDLE, HOLDING, LONG_STAY)
LOOKS_PAST_IDLE = 90
TRIES = 5
NEXT_WITHIN_MS = 1_000
SEEN_LATE_MS = 4_000  # what a busy machine adds to when a client sees it


def silence_ms(calls: Sequence[Answer]) -> int:
    """Return how long the server may have heard nothing of her at most: a client that gets no time calls nobody."""
    return max(later.answered_at - earlier.sent_at for earlier, later in pairwise(calls))


async def looked_round(evening: Evening, client: Client) -> tuple[Fan, Answer]:
    """Return somebody who is inside, and what she was told last; somebody else where her own client was too silent."""
    for _ in range(TRIES):
        fan = evening.fan(client, IDLE.id)
        calls = [await fan.enter(), await fan.schedule(), await fan.check()]
        if silence_ms(calls) < IDLE_MS:
            return fan, calls[-1]
    raise AssertionError("the machine was too slow for the story")


async def test_silence_ends_it_and_the_next_one_enters(evening: Evening) -> None:
    async with evening.client() as client:
        silent, told = await looked_round(evening, client)
        next_one = evening.fan(client, IDLE.id)
        await next_one.join()

        entered = await next_one.admitted()
        over = await silent.check()
        refused = await silent.schedule()
        await next_one.leave()

    assert told.data["idleAfterSeconds"] <= ceil(IDLE_MS / 1_000)
    assert entered.answered_at - told.sent_at >= IDLE_MS
    assert entered.sent_at - told.answered_at <= IDLE_MS + NEXT_WITHIN_MS + SEEN_LATE_MS
    assert over.data["status"] == "EXPIRED"
    assert refused.verdict == PLACE_OVER


async def test_any_call_of_hers_keeps_it(evening: Evening) -> None:
    async with evening.client() as client:
        for _ in range(TRIES):
            calls, seen = await call_beside_somebody_who_waits(evening, client)
            if silence_ms(calls) < IDLE_MS:
                assert [str(answer) for answer in seen if not waits(answer)] == []
                return
    raise AssertionError("the machine was too slow for the story")


async def call_beside_somebody_who_waits(evening: Evening, client: Client) -> tuple[list[Answer], list[Answer]]:
    """Let one be inside and call until silence would have ended it twice; return her calls, and what the next saw."""
    busy, next_one = evening.fans(2, client, IDLE.id)
    await until(busy.join, lambda answer: answer.ok)
    calls = [await busy.admitted()]
    await next_one.join()

    async def both() -> Answer:
        await busy.balance()
        calls.append(client.record[-1])
        return await next_one.check()

    seen = await watch(both, looks=LOOKS_PAST_IDLE)
    calls.append(await busy.check())
    await busy.leave()
    await next_one.admitted()
    await next_one.leave()
    return calls, seen


async def test_held_seats_keep_it(evening: Evening) -> None:
    show = evening.show(HOLDING.id)
    async with evening.client() as client:
        holder, next_one = evening.fans(2, client, HOLDING.id)
        await holder.enter()
        held = await holder.reserve(show.schedule_id, show.seat_ids[0])
        await next_one.join()

        await always(next_one.check, waits, looks=LOOKS_PAST_IDLE)
        stands = await holder.check()
        paid = await holder.pay(held.data["reservationId"])
        entered = await next_one.admitted()

    assert stands.data["status"] == "PROGRESS"
    assert stands.data["expiresInSeconds"] > 200
    assert entered.sent_at - paid.answered_at <= NEXT_WITHIN_MS + SEEN_LATE_MS


async def test_it_ends_at_the_latest_after_session_max(evening: Evening) -> None:
    show = evening.show(LONG_STAY.id)
    async with evening.client() as client:
        fan = evening.fan(client, LONG_STAY.id)
        entered = await fan.enter()

        ended = await until(fan.schedule, lambda answer: not answer.ok)
        refused = await fan.reserve(show.schedule_id, show.seat_ids[0])

    assert entered.data["expiresInSeconds"] <= ceil(SESSION_MS / 1_000)
    assert unexpected([ended, refused], PLACE_OVER) == []
    assert ended.answered_at >= instant(entered.data["expiresAt"])


async def test_after_session_max_a_hold_can_be_paid_but_no_new_one_made(evening: Evening) -> None:
    show = evening.show(LONG_STAY.id)
    async with evening.client() as client:
        holder, next_one = evening.fans(2, client, LONG_STAY.id)
        entered = await holder.enter()
        held = await holder.reserve(show.schedule_id, show.seat_ids[1])
        await next_one.join()

        refused = await until(
            lambda: holder.reserve(show.schedule_id, show.seat_ids[1], show.seat_ids[2]),
            lambda answer: answer.verdict == PLACE_OVER,
        )
        stands = await holder.check()
        paid = await holder.pay(held.data["reservationId"])
        await next_one.admitted()

    assert refused.answered_at >= instant(entered.data["expiresAt"])
    assert stands.data["status"] == "PROGRESS"
    assert paid.ok
