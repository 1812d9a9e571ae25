"""Asked to stop while somebody else keeps the database: it goes within ten seconds, and loses no answer."""

import asyncio
import sqlite3
from contextlib import closing
from signal import SIGTERM

from tests.e2e.harness.answers import now_ms
from tests.e2e.harness.checkers import GRANTED, money_astray, unexpected
from tests.e2e.harness.evening import OPENING_BALANCE_WON, Evening, Evenings
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.promises import CHARGE, calls
from tests.e2e.harness.wire import ConnectionCutError

ROOM = a_room("locked", a_show(seats=1))
BUSY = 20
STOPS_WITHIN_MS = 10_000
SETTINGS = {"DRAIN_SECONDS": "2"}  # behind a lock it takes all of them, and a slow machine has the rest of the ten
CUT = (ConnectionRefusedError, ConnectionResetError, ConnectionCutError)
UNAVAILABLE = (503, "503")


async def charge_once_more(fan: Fan) -> None:
    """Charge; the answer may never come."""
    try:
        await fan.charge(1_000)
    except CUT:
        return


async def stop_behind_a_lock(evening: Evening, fans: list[Fan]) -> tuple[int, int]:
    """Lock the database, ask for charges, and have the server stop; return its exit code and how long it took."""
    with closing(sqlite3.connect(evening.database, timeout=60, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        under_way = asyncio.gather(*(charge_once_more(fan) for fan in fans))
        asked_at = now_ms()
        evening.server.send_signal(SIGTERM)
        code = await asyncio.to_thread(evening.server.ended)
        took_ms = now_ms() - asked_at
        other.execute("ROLLBACK")
        await under_way
    return code, took_ms


async def test_it_ends_and_nothing_that_was_answered_is_lost(evenings: Evenings) -> None:
    with evenings(ROOM, **SETTINGS) as evening:
        async with evening.client() as client:
            fans = evening.fans(BUSY, client, ROOM.id)
            await asyncio.gather(*(fan.join() for fan in fans))
            await asyncio.gather(*(fan.charge(1_000) for fan in fans))
            code, took_ms = await stop_behind_a_lock(evening, fans)
        evening.check()
        balances = evening.stored_balances(fans)

    assert (code, took_ms <= STOPS_WITHIN_MS) == (0, True), f"{code} after {took_ms} ms"
    assert len(granted := [answer for answer in calls(client.record, CHARGE) if answer.ok]) >= BUSY, granted
    assert unexpected(calls(client.record, CHARGE), GRANTED, UNAVAILABLE) == []
    assert money_astray(client.record, opening=OPENING_BALANCE_WON, balances=balances) == []
