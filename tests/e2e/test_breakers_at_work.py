"""Somebody keeps the database: the sale's breaker opens, refuses at once, tries again by itself, and closes."""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening, Evenings
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.until import until

ROOM = a_room("breakers", a_show(seats=9), idle_timeout_ms=600_000, away_after_ms=600_000)
OWN_ROOMS = (ROOM,)
SETTINGS = {"CONFIG": str(Path(__file__).with_name("quick_breakers.yaml")), "LOG_LEVEL": "info"}
BROKEN = "breakers_ignored"
NOBODYS_RESERVATION = 7
CALLS_MIN, WAIT_S = 3, 1
"""As the file has it."""


@contextmanager
def locked(evening: Evening) -> Iterator[None]:
    """Keep the write lock, as a tool would that somebody has left open."""
    with closing(sqlite3.connect(evening.database, timeout=60, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


async def sale_breaker(client: Client, operator: str) -> dict[str, Any]:
    """Return what an operator sees of it."""
    answer = await until(lambda: client.ask("GET", "//ops/api/breakers", token=operator), lambda one: one.ok)
    [card] = [card for card in answer.rows if card["name"] == "saleService"]
    return card


async def metric(client: Client, sample: str) -> float:
    """Return the value of one sample of the breakers."""
    answer = await client.ask("GET", "//metrics")
    [value] = [
        line.split()[-1]
        for line in answer.raw.decode().splitlines()
        if line.startswith(f"resilience4j_circuitbreaker_{sample}")
    ]
    return float(value)


@dataclass(frozen=True, kw_only=True)
class Behind:
    """What was told behind a lock: to those who asked together, to one who asked after them, and to an operator."""

    failed: Sequence[Answer]
    next_one: Answer
    poll: Answer
    card: Mapping[str, Any]
    shown_open: float


async def behind_a_lock(evening: Evening, client: Client, fans: Sequence[Fan], operator: str) -> Behind:
    with locked(evening):
        return Behind(
            failed=await asyncio.gather(*(fan.charge(1_000) for fan in fans)),
            next_one=await fans[0].charge(1_000),
            poll=await fans[0].check(),
            card=await sale_breaker(client, operator),
            shown_open=await metric(client, 'state{name="saleService",state="open"}'),
        )


async def lined_up(evening: Evening, client: Client) -> tuple[Sequence[Fan], str]:
    """Return as many buyers with a place as it takes to open the breaker, and an operator's key."""
    fans = evening.fans(CALLS_MIN, client, ROOM.id)
    for fan in fans:
        await fan.join()
    return fans, evening.cli("key", "create", "breakers", "--role", "view").strip()


async def test_closed_open_half_open_closed(evenings: Evenings) -> None:
    with evenings(*OWN_ROOMS, mutant="gives_up_soon", **SETTINGS) as evening:
        async with evening.client() as client:
            fans, operator = await lined_up(evening, client)
            refusals = [await fans[0].pay(NOBODYS_RESERVATION) for _ in range(10)]
            before = await sale_breaker(client, operator)

            told = await behind_a_lock(evening, client, fans, operator)

            charged = await until(lambda: fans[0].charge(1_000), lambda answer: answer.ok)
            again = await fans[1].charge(1_000)
            after = await until(lambda: sale_breaker(client, operator), lambda card: card["state"] == "CLOSED")
        log = evening.server.log.read_text()
        evening.check()

    assert {answer.verdict for answer in refusals} == {(404, "404")}
    assert (before["state"], before["bufferedCalls"], before["settings"]["minimumNumberOfCalls"]) == (
        "CLOSED",
        0,
        CALLS_MIN,
    )
    assert {answer.verdict for answer in (*told.failed, told.next_one)} == {(503, "503")}
    assert told.next_one.headers["retry-after"] == str(WAIT_S)
    assert told.poll.ok
    assert (told.card["state"], told.card["failureRate"], told.card["failedCalls"]) == ("OPEN", 100, CALLS_MIN)
    assert (told.card["notPermittedCalls"], told.shown_open) == (1, 1)
    assert (charged.ok, again.ok, after["state"]) == (True, True, "CLOSED")
    for entered in ("open", "half_open", "closed"):
        assert f"entered={entered}" in log
    assert "failure_rate=100.0" in log


async def test_control_a_server_that_ignores_its_breakers_is_found_out(broken: Evening) -> None:
    async with broken.client() as client:
        fans, operator = await lined_up(broken, client)

        told = await behind_a_lock(broken, client, fans, operator)

    assert (told.card["state"], told.card["bufferedCalls"], told.shown_open) == ("CLOSED", 0, 0)
