"""
Plays cells: a real server on real engines, the one that fails behind a proxy, and a crowd at a constant rate.

The cells of one dependency and one stage are played one after the other on one
server, which has to be whole again after each; several such rows side by side.
"""

import asyncio
import itertools
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.client import Client
from tests.e2e.harness.server import DidNotStartError
from tests.outage_cluster.cells import Cell
from tests.outage_cluster.crowd import IN_LINE, INSIDE, Crowd
from tests.outage_cluster.facts import CLOSED, OPEN, Facts, tried_beyond
from tests.outage_cluster.house import LINE, SALE, Engines, House, Row, opened
from tests.outage_cluster.rules import UNAVAILABLE, Outage, broken, unkept

HEALTHY_S = 1.5
QUIET_S = 2.0
RECOVERED_S_MAX = 60.0
WRONG_MAX = 10
TRIES_MAX = 3
STARTS_MAX = 20


@dataclass(slots=True, kw_only=True)
class Played:
    """
    What came of one cell; times in seconds, from when it was struck.

    *wrong* is what no speed of any machine excuses, *unkept* are promises that a
    machine has to be quick enough to keep: where what goes on takes longer than
    its deadline, it is refused like any other. *took* has how long each call
    took by the server's own clock, *lag_s* how late its loop was at most.
    """

    cell: Cell
    answers: Counter[str] = field(default_factory=Counter)
    first_failure_s: float | None = None
    opened_s: Mapping[str, float] = field(default_factory=dict)
    took: Sequence[float] = ()
    lag_s: float = 0.0
    reached_while_open: Counter[str] = field(default_factory=Counter)
    tried_beyond: Counter[str] = field(default_factory=Counter)
    recovered_s: float = inf
    wrong: Sequence[str] = ()
    unkept: Sequence[str] = ()


async def play_rows(engines: Engines, rows: Sequence[Row], folder: Path, *, at_once: int) -> Mapping[Cell, Played]:
    """Play all cells of *rows*, so many rows at once; a cell with an unkept promise a few times, until it is kept."""
    places = asyncio.Semaphore(at_once)
    played: dict[Cell, Played] = {}

    async def play(row: Row) -> None:
        left, tries = list(row.cells), Counter(row.cells)
        for nth in itertools.count():
            if not left:
                return
            try:
                async with places, opened(engines, row, folder / f"{row}-{nth}") as house:
                    async for one in _until_one_is_wrong(house, left):
                        played[one.cell] = one
                        if one.unkept and tries[one.cell] < TRIES_MAX:
                            tries[one.cell] += 1
                            left.append(one.cell)
            except DidNotStartError:
                # On a busy machine a database does not answer in time to whoever starts.
                if nth >= STARTS_MAX:
                    raise

    async with asyncio.TaskGroup() as group:
        for row in rows:
            group.create_task(play(row))
    return played


async def _until_one_is_wrong(house: House, left: list[Cell]) -> AsyncIterator[Played]:
    """Play what is *left*; a server that an outage has left in pieces is not asked to go through another one."""
    while left:
        cell = left.pop(0)
        try:
            one = await play_cell(house, cell)
        except Exception:  # noqa: BLE001 -- whatever it was, it is this cell's, and the others are played
            one = Played(cell=cell, wrong=[traceback.format_exc()])
        yield one
        if one.wrong or one.unkept:
            return


async def play_cell(house: House, cell: Cell, *, charged: int = 0) -> Played:
    """Play one cell, *charged* so many wallets the moment it strikes, and look at what it has left."""
    async with Client.on(house.server.port) as client:
        inside, line = house.fans(INSIDE, client, SALE.id), house.fans(IN_LINE, client, LINE.id)
        crowd = Crowd(client, house.show, house.seats, inside=inside, line=line)
        await crowd.enter()
        await crowd.go_on(HEALTHY_S)
        struck, began_at = time.monotonic(), now_ms()
        with cell.struck(house.proxy):
            crowd.charge(charged)
            await crowd.go_on(cell.outage_s)
            healed, ended_at = time.monotonic(), now_ms()
        await crowd.go_on(RECOVERED_S_MAX, unless=lambda: is_quiet(house.facts, client, ended_at))
        await crowd.all_answered()
        record = [answer for answer in client.record if answer.sent_at >= began_at]
        await crowd.ask_again()
        wrong = [
            *crowd.defects,
            *broken(client),
            *await house.astray(cell, client),
            *(f"{count} of {name} are lost" for name, count in (await house.lost()).items()),
            *(f"{name} is still {state}" for name, state in house.facts.not_closed().items()),
        ]
    outage = Outage(began_at=began_at, ended_at=ended_at)
    facts = house.facts.since(struck)
    failed_at = [answer.answered_at for answer in record if answer.status == UNAVAILABLE]
    closed = (fact["at"] - healed for fact in facts if fact.get("entered") == CLOSED)
    return Played(
        cell=cell,
        answers=Counter(str(answer.status) for answer in record),
        first_failure_s=(min(failed_at) - began_at) / 1_000 if failed_at else None,
        opened_s={fact["breaker"]: fact["at"] - struck for fact in reversed(facts) if fact.get("entered") == OPEN},
        took=[fact["seconds"] for fact in facts if "answered" in fact],
        lag_s=max((fact["lag_s"] for fact in facts if "lag_s" in fact), default=0.0),
        reached_while_open=Counter(fact["reached"] for fact in facts if "reached" in fact),
        tried_beyond=tried_beyond(facts),
        recovered_s=max([0.0, *closed, *((at - ended_at) / 1_000 for at in failed_at)]),
        wrong=wrong[:WRONG_MAX],
        unkept=list(unkept(cell, outage, record))[:WRONG_MAX],
    )


def is_quiet(facts: Facts, client: Client, since: int) -> bool:
    """Say whether all breakers are closed, and for a while nobody was put off."""
    quiet_since = now_ms() - round(QUIET_S * 1_000)
    return quiet_since > since and not facts.not_closed() and not _put_off(client.record, quiet_since)


def _put_off(record: Sequence[Answer], since: int) -> bool:
    recent: Iterator[Answer] = iter(reversed(record))
    for answer in recent:
        if answer.answered_at < since:
            return False
        if answer.status == UNAVAILABLE:
            return True
    return False
