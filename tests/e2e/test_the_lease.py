"""A place inside is lent: silence ends it, held seats keep it, and no evening inside lasts for ever."""

from math import ceil

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.checkers import PLACE_OVER, unexpected
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.fan import waits
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.promises import instant
from tests.e2e.harness.until import always, until

# Long enough for a busy machine to come to a story's next call in time.
IDLE_MS = 2_000
SESSION_MS = 3_000
IDLE = a_room("idle", a_show(seats=9), max_active=1, idle_timeout_ms=IDLE_MS)
HOLDING = a_room("holding", a_show(seats=9), max_active=1, idle_timeout_ms=IDLE_MS)
LONG_STAY = a_room("long-stay", a_show(seats=9), max_active=1, session_max_ms=SESSION_MS)
ROOMS = (IDLE, HOLDING, LONG_STAY)
LOOKS_PAST_IDLE = 90
NEXT_WITHIN_MS = 1_000
SEEN_LATE_MS = 4_000  # what a busy machine adds to when a client sees it


async def test_silence_ends_it_and_the_next_one_enters(evening: Evening) -> None:
    async with evening.client() as client:
        silent, next_one = evening.fans(2, client, IDLE.id)
        await silent.enter()
        await silent.schedule()
        told = await silent.check()
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
        busy, next_one = evening.fans(2, client, IDLE.id)
        await until(busy.join, lambda answer: answer.ok)
        await busy.admitted()
        await next_one.join()

        async def both() -> Answer:
            await busy.balance()
            return await next_one.check()

        await always(both, waits, looks=LOOKS_PAST_IDLE)
        await busy.leave()
        await next_one.admitted()
        await next_one.leave()


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
