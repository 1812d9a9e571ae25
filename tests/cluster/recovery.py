"""Parts of a cluster are killed in the middle of a sale: how long it takes until it goes on, and what is true then."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from scripts.services import Server as Engine
from tests.cluster.evening import Cluster
from tests.cluster.sale import BUYERS_AT_ONCE, Sale
from tests.e2e.harness.checkers import paid_twice, seats_promised_twice
from tests.e2e.harness.client import Client
from tests.e2e.harness.promises import PAY, granted

HARM_S = 10.0
"""For so long a process is frozen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What was done, how long it took until seats were sold again, and whatever was wrong afterwards."""

    what: str
    recovered_s: float
    sold: int
    wrong: list[str]


Harm = Callable[[Cluster, Engine, Engine], None]


def kill_a_server(cluster: Cluster, _redis: Engine, _database: Engine) -> None:
    """End the process that was started first, which leads the rooms unless it has lost that; the other one goes on."""
    cluster.servers[0].kill()


def kill_redis(_cluster: Cluster, redis: Engine, _database: Engine) -> None:
    """End Redis, and start it again with nothing in it."""
    redis.kill()
    redis.start()


def kill_the_database(_cluster: Cluster, _redis: Engine, database: Engine) -> None:
    """End the database server, and start it again with what it has on its disk."""
    database.kill()
    database.start()


HARMS: dict[str, Harm] = {"a server": kill_a_server, "Redis": kill_redis, "the database": kill_the_database}


async def play(  # noqa: PLR0913 -- who is harmed, and where
    what: str, cluster: Cluster, redis: Engine, database: Engine, *, room_id: str, before: int, after: int
) -> Round:
    """Sell *before* seats, kill *what*, sell *after* more; return what came of it."""
    async with cluster.client() as client:
        sale = Sale(cluster, client, room_id, patient=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(sale.goes_on())
            await sale.has_sold(before)
            began = time.monotonic()
            await asyncio.to_thread(HARMS[what], cluster, redis, database)
            # As many as were under way may have been sold before.
            await sale.has_sold(BUYERS_AT_ONCE + 1)
            recovered_s = time.monotonic() - began
            await sale.has_sold(after)
            sale.end()
    wrong = await _wrong(cluster, client, sale)
    return Round(what=what, recovered_s=recovered_s, sold=sale.sold, wrong=wrong)


async def _wrong(cluster: Cluster, client: Client, sale: Sale) -> list[str]:
    wrong = [*seats_promised_twice(client.record), *paid_twice(client.record)]
    paid = len({answer.key for answer in granted(client.record, PAY)})
    if paid != sale.sold:
        wrong.append(f"{sale.sold} were sold, and {paid} payments answered")
    try:
        await cluster.checked()
    except AssertionError as error:
        wrong.append(str(error))
    return wrong
