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
from itertools import pairwise
from pathlib import Path
from signal import SIGCONT, SIGSTOP

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
EXACT_MS = 250
PROBES = 40
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


async def hold(evening: Evening, client: Client) -> Mapping[int, tuple[Fan, int]]:
    """Let all hold a seat each, some after others; return them and their deadlines by their reservations."""
    show = evening.show(ROOM.id)
    fans = evening.fans(HOLDERS, client, ROOM.id)
    gate = asyncio.Semaphore(AT_ONCE)
    held: dict[int, tuple[Fan, int]] = {}

    async def reserve(fan: Fan, seat_id: int) -> None:
        async with gate:
            await fan.enter()
            answer = await fan.reserve(show.schedule_id, seat_id)
            assert answer.ok, str(answer)
            held[answer.data["reservationId"]] = fan, instant(answer.data["reservedUntilAt"])

    await asyncio.gather(*(reserve(fan, seat_id) for fan, seat_id in zip(fans, show.seat_ids, strict=True)))
    return held


async def slowest_probe_ms(fan: Fan) -> int:
    """Return the longest time between two writes that went well: how busy this machine is."""
    went_well = []
    for _ in range(PROBES):
        answer = await fan.charge(1)
        assert answer.ok, str(answer)
        went_well.append(answer.answered_at)
        await asyncio.sleep(0.05)
    return max(after - before for before, after in pairwise(went_well))


def deadlines(database: Path) -> Mapping[int, int]:
    with closing(sqlite3.connect(database)) as reader:
        return dict(reader.execute("SELECT id, expires_at FROM hold").fetchall())


async def over_an_outage(happens: Happens, folder: Path, members: Path) -> list[str]:
    """Return what is wrong afterwards."""
    outage = Outage()
    with Evening.on(folder / "stagedoor.db", [ROOM], members=members, settings=SETTINGS) as evening:
        async with evening.client() as client:
            held = await hold(evening, client)
            probe = evening.fan(client, ROOM.id)
            await probe.join()
            busy_ms = await slowest_probe_ms(probe)
        await happens(evening, outage)
        async with evening.client() as client:
            back = await until(lambda: probe.at(client).charge(1), lambda answer: answer.ok)
            outage.back_at = back.answered_at
            given = {after - held[id_][1] for id_, after in deadlines(evening.database).items()}
            [(reservation_id, (fan, deadline)), *_] = held.items()
            [row] = await fan.at(client).mine("reservations")
            paid = await fan.at(client).pay(reservation_id)
        evening.check()

    [by_ms] = given or {0}
    least, most = outage.ended_at - outage.began_at, outage.back_at - outage.began_at
    return [
        f"{happens.__name__}: {what}"
        for what, is_so in {
            f"{len(held)} hold": len(held) != HOLDERS,
            f"{by_ms} ms given back, less than {least}": by_ms < least,
            f"{by_ms} ms given back, more than {most}, where a write takes {busy_ms}": by_ms
            > most + EXACT_MS + busy_ms,
            f"she is told {row}": instant(row["reservedUntilAt"]) != deadline + by_ms,
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
