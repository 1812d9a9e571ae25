"""Hosts behind nginx, a command of one server each, are restarted one after another while buyers buy."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from scripts.services import Nginx
from scripts.services.server import HOST, free_port
from tests.cluster.conftest import Open
from tests.cluster.evening import Cluster
from tests.cluster.sale import Sale
from tests.e2e.harness.checkers import seats_promised_twice
from tests.e2e.harness.client import Client
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.server import Server

HALL = a_room("hall", a_show(seats=4_000))
HOSTS = 2


async def is_ready(server: Server) -> int:
    """Return where *server* listens, once it does."""
    return await asyncio.to_thread(getattr, server, "port")


async def restarted(cluster: Cluster, port: int, number: signal.Signals) -> None:
    """Send the oldest server, which is at *port*, *number*; return when its successor is ready."""
    oldest = cluster.servers[-HOSTS]
    assert oldest.port == port
    oldest.send_signal(number)
    assert await asyncio.to_thread(oldest.ended) == 0
    await is_ready(cluster.start(PORT=str(port)))


@asynccontextmanager
async def selling(cluster: Cluster, ports: Sequence[int]) -> AsyncIterator[Client]:
    """Have a host at each of *ports*, nginx before them, and buyers who come that way until the block ends."""
    for port in ports:
        await is_ready(cluster.start(PORT=str(port)))
    with Nginx(*ports) as nginx:
        async with Client.on(nginx.port) as client, asyncio.TaskGroup() as group:
            sale = Sale(cluster, client, HALL.id)
            group.create_task(sale.goes_on())
            await sale.has_sold(5)
            yield client
            await sale.has_sold(5)
            sale.end()


def test_a_rolling_restart_of_all_hosts_is_noticed_by_nobody(cluster: Open) -> None:
    async def story(opened: Cluster) -> None:
        ports = [free_port() for _ in range(HOSTS)]
        async with selling(opened, ports) as client:
            # Each goes as soon as the one before it is back, which has to be asked at once then. At SIGTERM it gives
            # a second's notice, in which a balancer may come to know that; at Ctrl-C it gives none.
            for port, number in zip(ports, (signal.SIGTERM, signal.SIGINT), strict=True):
                await restarted(opened, port, number)
        assert client.cut == []
        assert {answer.status for answer in client.record} == {200}
        assert seats_promised_twice(client.record) == []
        await opened.checked()

    with cluster(0, HALL, TRUSTED_PROXIES=HOST) as opened:
        asyncio.run(story(opened))
