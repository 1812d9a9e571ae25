"""Everybody is there before the doors open: nobody gets in a millisecond early, then all in order."""

import asyncio
from datetime import UTC, datetime

from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.checkers import (
    WAITING,
    Violations,
    admitted_early,
    admitted_out_of_order,
    positions_that_rose,
)
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.promises import instant
from tests.e2e.harness.until import at_instant, until

BUYERS = 60
AN_HOUR_MS = 3_600_000
OPENS_IN_MS = 2_000
AS_LONG_AGAIN = 8
"""How many times as long as changing the room takes here the opening is put off beyond that."""

LAST_CALLS_MS = 120
CLOCKS_APART_MS = 50  # two processes read one machine's clock, each in its own way
ROOM = a_room("premiere", a_show(seats=BUYERS), opens_in_ms=AN_HOUR_MS, rate=60.0)
COUNTDOWN = a_room("countdown", a_show(seats=1), opens_in_ms=AN_HOUR_MS)
ROOMS = (ROOM, COUNTDOWN)
BROKEN = "opening_ignored"


async def the_last_moments(fan: Fan, opens_at: int, offset_ms: int) -> None:
    """Poll without a pause from right before the opening, then until inside."""
    await at_instant(opens_at - LAST_CALLS_MS + offset_ms)
    while now_ms() < opens_at:
        await fan.check()
    await fan.admitted()


async def bring_forward(evening: Evening, fan: Fan) -> int:
    """Have the doors open in a moment; return when, once the server has heard of it."""
    began_at = now_ms()
    open_at(evening, began_at + AN_HOUR_MS)
    ahead_ms = OPENS_IN_MS + AS_LONG_AGAIN * (now_ms() - began_at)
    opens_at = now_ms() + ahead_ms
    open_at(evening, opens_at)
    told = await until(fan.check, lambda answer: answer.data["roomState"] != "UPCOMING" or opens_soon(answer, ahead_ms))
    assert told.answered_at < opens_at, "this machine is too slow for the story: it opened before all were there"
    return opens_at


def open_at(evening: Evening, instant_ms: int) -> None:
    """Have the operator say when the doors open."""
    said = datetime.fromtimestamp(instant_ms / 1_000, UTC).isoformat(timespec="milliseconds")
    evening.cli("room", "set", ROOM.id, "--opens-at", said)


def opens_soon(answer: Answer, ahead_ms: int) -> bool:
    """Whether the countdown is a short one."""
    return bool(answer.data["opensInSeconds"] <= ahead_ms // 1_000 + 1)


async def crowd(evening: Evening) -> tuple[Violations, Violations]:
    """Let everybody join before the opening and poll across it; return who was early and who was overtaken."""
    async with evening.client() as client:
        fans = evening.fans(BUYERS, client, ROOM.id)
        numbers: dict[int, int] = {}
        for number, fan in enumerate(fans):
            await fan.join()
            numbers[fan.buyer_id] = number
        opens_at = await bring_forward(evening, fans[0])
        await asyncio.gather(*(the_last_moments(fan, opens_at, i % 20) for i, fan in enumerate(fans)))
    record = client.record
    return admitted_early(record, opens_at), admitted_out_of_order(record, numbers) + positions_that_rose(record)


async def test_nobody_is_early_and_nobody_is_overtaken(evening: Evening) -> None:
    early, overtaken = await crowd(evening)

    assert early == []
    assert overtaken == []


async def test_before_the_opening_there_is_a_countdown(evening: Evening) -> None:
    opens_at = evening.programme.opens_at[COUNTDOWN.id]
    show = evening.show(COUNTDOWN.id)
    async with evening.client() as client:
        fan = evening.fan(client, COUNTDOWN.id)
        joined = await fan.join()
        told = await fan.check()
        refused = await fan.reserve(show.schedule_id, show.seat_ids[0])
        everybody = await client.ask("GET", f"/queue/status?room={COUNTDOWN.id}")
        evening.cli("room", "open", COUNTDOWN.id)
        await fan.admitted()

    assert joined.data["status"] == "WAITING"
    for answer in (told, everybody):
        assert answer.data["roomState"] == "UPCOMING"
        assert instant(answer.data["opensAt"]) == opens_at
        # It was counted somewhere between the question and the answer, and rounded up.
        left_ms = answer.data["opensInSeconds"] * 1_000
        assert opens_at - answer.answered_at - CLOCKS_APART_MS <= left_ms
        assert left_ms < opens_at - answer.sent_at + 1_000 + CLOCKS_APART_MS
    assert refused.verdict == WAITING


async def test_control_a_server_that_opens_early_is_found_out(broken: Evening) -> None:
    early, _ = await crowd(broken)

    assert early != []
