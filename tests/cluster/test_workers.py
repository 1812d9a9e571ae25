"""Workers behind one socket are stopped and killed one after another while buyers buy."""

import asyncio
import os
import signal
from functools import partial
from pathlib import Path

from tests.cluster.conftest import Open
from tests.cluster.evening import Cluster
from tests.cluster.sale import LOOKS, Sale
from tests.e2e.harness.checkers import paid_twice, seats_promised_twice
from tests.e2e.harness.client import Client
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.promises import PAY, granted
from tests.e2e.harness.until import until

HALL = a_room("hall", a_show(seats=2_000))
WORKERS = 2


def workers_of(cluster: Cluster) -> list[int]:
    """Return the processes that the command has started and that are still there, the oldest first."""
    pid = cluster.servers[0].pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def ready_workers(client: Client) -> int:
    """Count the workers that tell of themselves."""
    page = (await client.ask("GET", "//metrics")).raw.decode().splitlines()
    return sum(line.startswith("stagedoor_process_up{") and line.endswith(" 1.0") for line in page)


async def replaced(cluster: Cluster, client: Client, number: signal.Signals) -> None:
    """Send every worker there is *number*, one after the other, each when the one before it has a successor."""
    for worker in workers_of(cluster):
        os.kill(worker, number)

        async def all_new(worker: int = worker) -> bool:
            return worker not in workers_of(cluster) and await ready_workers(client) == WORKERS

        await until(all_new, bool, looks=LOOKS)


def test_a_rolling_restart_is_noticed_by_nobody(cluster: Open) -> None:
    async def story(opened: Cluster) -> None:
        async with Client.on(opened.servers[0].port) as client:
            sale = Sale(opened, client, HALL.id)
            async with asyncio.TaskGroup() as group:
                group.create_task(sale.goes_on())
                await sale.has_sold(5)
                await replaced(opened, client, signal.SIGTERM)
                await sale.has_sold(5)
                sale.end()
        assert client.cut == []
        assert {answer.status for answer in client.record} == {200}
        assert seats_promised_twice(client.record) == []
        assert len(granted(client.record, PAY)) == sale.sold
        await opened.checked()

    with cluster(1, HALL, WORKERS=str(WORKERS)) as opened:
        asyncio.run(story(opened))


def test_killed_workers_lose_nothing_that_was_answered(cluster: Open) -> None:
    async def story(opened: Cluster) -> None:
        async with Client.on(opened.servers[0].port) as client:
            sale = Sale(opened, client, HALL.id)
            async with asyncio.TaskGroup() as group:
                group.create_task(sale.goes_on())
                await sale.has_sold(5)
                await replaced(opened, client, signal.SIGKILL)
                await sale.has_sold(5)
                sale.end()
        assert {answer.status for answer in client.record} == {200}
        assert seats_promised_twice(client.record) == []
        assert paid_twice(client.record) == []
        await opened.checked()

    with cluster(1, HALL, WORKERS=str(WORKERS)) as opened:
        asyncio.run(story(opened))


def test_workers_whose_parent_was_killed_go_too(cluster: Open) -> None:
    with cluster(1, HALL, WORKERS=str(WORKERS)) as opened:
        workers = workers_of(opened)
        assert len(workers) == WORKERS

        opened.servers[0].kill()

        asyncio.run(until(partial(_are_gone, workers), bool, looks=LOOKS))


async def _are_gone(pids: list[int]) -> bool:
    return not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    # Whose parent was killed may wait for ever for somebody to ask how it ended.
    stat = Path(f"/proc/{pid}/stat")
    try:
        return ") Z " not in stat.read_text()
    except FileNotFoundError:
        return False
