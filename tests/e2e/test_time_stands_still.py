"""
The machine freezes, or somebody else keeps the database: to the buyers it is as if that time had not been.

Nothing here is measured by speed. How long a deadline has been moved is
compared with the instants at which the freeze began and ended, and with what
the server has written down of it.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from signal import SIGCONT, SIGSTOP

import pytest

from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.checkers import TAKEN, Violations
from tests.e2e.harness.evening import Evening, Evenings
from tests.e2e.harness.fan import Fan, let_in
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.promises import instant
from tests.e2e.harness.until import at_instant, until

HOLD_MS = 5_000
# Shorter than the freeze: without it they would be over by its end.
ROOM = a_room("stands-still", a_show(seats=2), session_max_ms=HOLD_MS, idle_timeout_ms=4_000)
OWN_ROOMS = (ROOM,)
BROKEN = "time_goes_on"
SETTINGS = {"HOLD_SECONDS": str(HOLD_MS // 1_000)}
LONGER_MS = 300
"""How long the freeze goes on after everything would be over."""


@dataclass(slots=True)
class Freeze:
    """When nobody could be served; *until_at* is when it may end."""

    until_at: int
    began_at: int = 0
    ended_at: int = 0


@asynccontextmanager
async def the_process_is_stopped(evening: Evening, freeze: Freeze) -> AsyncIterator[None]:
    """Stop the server as a machine that is suspended stops it."""
    evening.server.send_signal(SIGSTOP)
    freeze.began_at = now_ms()
    try:
        yield
        await at_instant(freeze.until_at)
        freeze.ended_at = now_ms()
    finally:
        evening.server.send_signal(SIGCONT)


@asynccontextmanager
async def the_database_is_locked(evening: Evening, freeze: Freeze) -> AsyncIterator[None]:
    """Keep the write lock, as a tool would that somebody has left open."""
    with closing(sqlite3.connect(evening.database, timeout=60, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        freeze.began_at = now_ms()
        try:
            yield
            await at_instant(freeze.until_at)
            freeze.ended_at = now_ms()
        finally:
            other.execute("ROLLBACK")


Freezing = Callable[[Evening, Freeze], AbstractAsyncContextManager[None]]
FREEZES: tuple[Freezing, ...] = (the_process_is_stopped, the_database_is_locked)


async def served(fan: Fan, schedule_id: int, seat_id: int) -> Answer:
    """Ask for the seat until the server can say anything."""
    return await until(lambda: fan.reserve(schedule_id, seat_id), lambda answer: answer.status != 503)


def outages(evening: Evening, since: int) -> int:
    """Return how many milliseconds the server has given back to what began at *since*."""
    with closing(sqlite3.connect(evening.database)) as reader:
        rows = reader.execute("SELECT credited_ms, ended_at FROM outage WHERE ended_at > ?", (since,)).fetchall()
    return sum(min(credited_ms, ended_at - since) for credited_ms, ended_at in rows)


async def over_a_freeze(evening: Evening, freezing: Freezing) -> Violations:
    """
    Freeze from right behind a sale until everything would be over; return what is wrong afterwards.

    One buyer holds a seat, one is inside and silent, and a rival asks for the
    held seat before anybody else can say anything.
    """
    show = evening.show(ROOM.id)
    [held_seat, free_seat] = show.seat_ids
    async with evening.client() as client:
        holder, silent, rival = fans = evening.fans(3, client, ROOM.id)
        await let_in(fans)
        held = await holder.reserve(show.schedule_id, held_seat)
        placed_at, deadline = instant(held.data["reservedAt"]), instant(held.data["reservedUntilAt"])
        freeze = Freeze(until_at=deadline + LONGER_MS)
        async with freezing(evening, freeze):
            contest = asyncio.create_task(served(rival, show.schedule_id, held_seat))
            entering = asyncio.create_task(served(silent, show.schedule_id, free_seat))
        contested, entered = await contest, await entering
        [row] = await holder.mine("reservations")
        paid = await holder.pay(held.data["reservationId"])
        stands = await rival.check()

    assert freeze.began_at < deadline, "the machine was too slow for the story"
    given = instant(row["reservedUntilAt"]) - deadline
    return [
        what
        for what, is_so in {
            f"the rival was told {contested}": contested.verdict != TAKEN,
            f"the silent one was told {entered}": not entered.ok,
            f"the holder was told {paid}": not paid.ok,
            f"the rival stands {stands}": stands.data["status"] != "PROGRESS",
            f"{given} ms given back for {freeze}": given < freeze.ended_at - freeze.began_at,
            f"{given} ms given back, {outages(evening, placed_at)} noted": given != outages(evening, placed_at),
        }.items()
        if is_so
    ]


@pytest.mark.parametrize("freezing", FREEZES, ids=lambda freezing: freezing.__name__)
async def test_what_was_running_runs_on_as_long_as_it_had_left(evenings: Evenings, freezing: Freezing) -> None:
    with evenings(*OWN_ROOMS, **SETTINGS) as evening:
        wrong = await over_a_freeze(evening, freezing)
        evening.check()

    assert wrong == []


async def test_control_a_server_whose_time_goes_on_is_found_out(broken: Evening) -> None:
    wrong = await over_a_freeze(broken, the_process_is_stopped)

    assert any("rival was told" in what for what in wrong)
    assert any("silent one was told" in what for what in wrong)
