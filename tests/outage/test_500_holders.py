"""
500 buyers hold seats, and for 47 seconds by the wall clock nobody can buy: each of them has that time back.

The same in virtual time, with more kinds of outage: tests/simulation/test_outages.py.
The three servers have their outages side by side, so that it takes 47 seconds and not three times as long.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import NamedTuple, Self

from tests.e2e.harness.answers import now_ms
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.promises import instant
from tests.e2e.harness.until import at_instant, until

HOLDERS = 500
AT_ONCE = 25
OUTAGE_MS = 47_000
ROOM = a_room("crowded", a_show(seats=HOLDERS), max_active=HOLDERS)
SETTINGS = {"HOLD_SECONDS": "240", "SESSION_MAX_SECONDS": "3600"}


@dataclass(slots=True)
class Outage:
    """When nobody could buy, by the wall clock: from *began_at*, until *ended_at* at least, to *back_at* at most."""

    began_at: int = 0
    ended_at: int = 0
    back_at: int = 0


@asynccontextmanager
async def locked(evening: Evening) -> AsyncIterator[None]:
    """Keep the write lock of the database."""
    with closing(sqlite3.connect(evening.database, timeout=60, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


async def the_process_is_stopped(evening: Evening, outage: Outage) -> None:
    evening.server.send_signal(SIGSTOP)
    outage.began_at = now_ms()
    try:
        await at_instant(outage.began_at + OUTAGE_MS)
        outage.ended_at = now_ms()
    finally:
        evening.server.send_signal(SIGCONT)


async def the_database_is_locked(evening: Evening, outage: Outage) -> None:
    async with locked(evening):
        outage.began_at = now_ms()
        await at_instant(outage.began_at + OUTAGE_MS)
        outage.ended_at = now_ms()


async def it_is_locked_and_the_server_killed(evening: Evening, outage: Outage) -> None:
    async with locked(evening):
        outage.began_at = now_ms()
        await at_instant(outage.began_at + OUTAGE_MS // 2)
        evening.server.kill()
        await at_instant(outage.began_at + OUTAGE_MS)
        outage.ended_at = now_ms()
    await asyncio.to_thread(evening.start_again)


Happens = Callable[[Evening, Outage], Awaitable[None]]
OUTAGES: Sequence[Happens] = (the_process_is_stopped, the_database_is_locked, it_is_locked_and_the_server_killed)


async def hold(evening: Evening, client: Client) -> Mapping[int, Fan]:
    """Let all hold a seat each, some after others; return them by their reservations."""
    show = evening.show(ROOM.id)
    fans = evening.fans(HOLDERS, client, ROOM.id)
    gate = asyncio.Semaphore(AT_ONCE)
    held: dict[int, Fan] = {}

    async def reserve(fan: Fan, seat_id: int) -> None:
        async with gate:
            await fan.enter()
            answer = await fan.reserve(show.schedule_id, seat_id)
            assert answer.ok, str(answer)
            held[answer.data["reservationId"]] = fan

    await asyncio.gather(*(reserve(fan, seat_id) for fan, seat_id in zip(fans, show.seat_ids, strict=True)))
    return held


class Gap(NamedTuple):
    """An outage as the server has written it down."""

    began_at: int
    ended_at: int
    credited_ms: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database says at one moment: the last sign of life, the deadlines of all holds, the gaps so far."""

    alive_at: int
    deadlines: Mapping[int, int]
    gaps: Sequence[Gap]

    @classmethod
    def of(cls, database: Path) -> Self:
        """Read it, all of one instant."""
        with closing(sqlite3.connect(database, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            [(alive_at,)] = reader.execute("SELECT alive_at FROM clock_stop").fetchall()
            gaps = reader.execute("SELECT began_at, ended_at, credited_ms FROM outage ORDER BY id").fetchall()
            holds = reader.execute("SELECT id, expires_at FROM hold").fetchall()
        return cls(alive_at, dict(holds), [Gap(*gap) for gap in gaps])


async def seen_alive(database: Path) -> Stored:
    """
    Return what the database says once the server has given a sign of life after now.

    Who held after the last one before an outage was there for a part of it only, and gets that part.
    """
    now = now_ms()

    async def stored() -> Stored:
        return await asyncio.to_thread(Stored.of, database)

    return await until(stored, lambda seen: seen.alive_at > now)


async def over_an_outage(happens: Happens, folder: Path, members: Path) -> list[str]:
    """Return what is wrong afterwards. A gap that the machine itself makes before or after it is none of it."""
    outage = Outage()
    with Evening.on(folder / "stagedoor.db", [ROOM], members=members, settings=SETTINGS) as evening:
        async with evening.client() as client:
            held = await hold(evening, client)
            probe = evening.fan(client, ROOM.id)
            await probe.join()
        before = await seen_alive(evening.database)
        await happens(evening, outage)
        async with evening.client() as client:
            back = await until(lambda: probe.at(client).charge(1), lambda answer: answer.ok)
            outage.back_at = back.answered_at
            after = Stored.of(evening.database)
            [(reservation_id, fan), *_] = held.items()
            [row] = await fan.at(client).mine("reservations")
            told = Stored.of(evening.database)
            paid = await fan.at(client).pay(reservation_id)
        evening.check()

    longest, *others = sorted(after.gaps[len(before.gaps) :], key=lambda gap: -gap.credited_ms)
    by_other_gaps_ms = sum(gap.credited_ms for gap in others)
    given = {at - before.deadlines[id_] - by_other_gaps_ms for id_, at in after.deadlines.items()}
    least_ms = outage.ended_at - outage.began_at
    until_at = instant(row["reservedUntilAt"])
    return [
        f"{happens.__name__}: {what}"
        for what, is_so in {
            f"{len(held)} hold": len(held) != HOLDERS,
            f"{given} ms given back for {longest}": given != {longest.ended_at - longest.began_at},
            f"{longest} is less than {least_ms} ms": longest.credited_ms < least_ms,
            f"{longest} is more than from {before.alive_at} to {outage.back_at}": longest.began_at < before.alive_at
            or longest.ended_at > outage.back_at,
            f"she is told {row}": not after.deadlines[reservation_id] <= until_at <= told.deadlines[reservation_id],
            f"she paid: {paid}": not paid.ok,
        }.items()
        if is_so
    ]


async def test_all_of_them_have_all_of_it_back(members: Path, tmp_path: Path) -> None:
    folders = [tmp_path / happens.__name__ for happens in OUTAGES]
    for folder in folders:
        folder.mkdir()

    wrong = await asyncio.gather(
        *(over_an_outage(happens, folder, members) for happens, folder in zip(OUTAGES, folders, strict=True))
    )

    assert [what for each in wrong for what in each] == []
