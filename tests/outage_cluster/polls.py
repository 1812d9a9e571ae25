"""Polls as fast as they go, and every other call now and then, while the database of a cluster says nothing."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scripts.bench.cores import Cores
from tests.e2e.harness.client import Client
from tests.e2e.harness.until import until
from tests.faults.toxics import UP, Timeout
from tests.outage_cluster.cells import Dependency, Stage
from tests.outage_cluster.crowd import LOOKS, is_inside, is_settled
from tests.outage_cluster.house import LINE, SALE, Engines, Row, opened
from tests.overload.stall import SETTINGS, Findings, ask_over

INSIDE, WAITING, NEWCOMERS = 20, 400, range(1_000, 1_200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks."""

    inside: Sequence[str]
    waiting: Sequence[str]
    newcomers: Sequence[int]
    seats: Sequence[tuple[int, int]]


async def polls_over_a_hang(engines: Engines, dependency: Dependency, folder: Path, *, seconds: float) -> Findings:
    """Poll for so long, and again while nothing that is asked of the database arrives; the server has a core alone."""
    cores = Cores.choose()
    row = Row(dependency=dependency, stage=Stage.BEFORE, cells=[])
    async with opened(engines, row, folder / f"polls-{row}", **SETTINGS) as house:
        os.sched_setaffinity(house.server.pid, cores.server)
        async with Client.on(house.server.port) as client:
            inside, waiting = house.fans(INSIDE, client, SALE.id), house.fans(WAITING, client, LINE.id)
            for fan in [*inside, *waiting]:
                await until(fan.join, is_settled, looks=LOOKS)
            await asyncio.gather(*(until(fan.check, is_inside, looks=LOOKS) for fan in inside))
        asking = Asking(
            inside=[fan.token for fan in inside],
            waiting=[fan.token for fan in waiting],
            newcomers=NEWCOMERS,
            seats=[(house.show.schedule_id, seat_id) for seat_id in house.show.seat_ids],
        )
        hangs = partial(house.proxy.toxic, Timeout(stream=UP))
        return await ask_over(hangs, asking, port=house.server.port, pid=house.server.pid, seconds=seconds)
