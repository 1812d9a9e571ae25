"""`make run-cluster`: two servers, a relay and a consumer on real engines sell a seat, and a stop ends all of it."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, text

from scripts.cluster import DATABASES, own_environment
from scripts.services.__main__ import Services
from scripts.services.server import is_free
from stagedoor.adapters.sql.server_lanes import ServerLanes

SECONDS_MAX = 300
SERVER = re.compile(r" *server at \d+ +process (\d+)")
NOTIFIED = text("SELECT count(*) FROM notification")


@dataclass
class Cluster:
    """A cluster at work on *database*: where nginx is, and how to reach the rest."""

    database: str
    services: Services
    process: "subprocess.Popen[str]"
    first_server: int = 0

    def told(self, sentence: str) -> bool:
        """Read what it prints until a line says *sentence*, and note what it says of the first server."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if (server := SERVER.match(line)) and not self.first_server:
                self.first_server = int(server[1])
            if sentence in line:
                return True
        return False

    @property
    def addresses(self) -> dict[str, str]:
        return self.services.addresses()

    @property
    def url(self) -> str:
        return self.addresses["NGINX_URL"]

    @property
    def database_url(self) -> str:
        return self.addresses[DATABASES[self.database]]

    def say(self, *words: str) -> str:
        """Run an operator's command on its data, and return what that prints."""
        settings = {name: value for name, value in self.addresses.items() if name.startswith("STAGEDOOR_")}
        done = subprocess.run(  # noqa: S603 -- the product itself
            [sys.executable, "-m", "stagedoor", *words],
            env=own_environment(settings | {"STAGEDOOR_DATABASE_URL": self.database_url}),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr


@pytest.fixture(params=DATABASES)
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    process = subprocess.Popen(  # noqa: S603 -- this Python
        [sys.executable, "-m", "scripts.cluster", "--folder", tmp_path, "--database", request.param],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        cluster = Cluster(request.param, Services(tmp_path), process)
        cluster.told("The cluster is ready on")
        yield cluster
    finally:
        process.terminate()
        process.communicate()


async def test_it_sells_a_seat_tells_of_it_and_leaves_nothing_behind(cluster: Cluster) -> None:
    ports = [int(port) for port in cluster.addresses["SERVER_PORTS"].split(",")]
    async with httpx.AsyncClient(base_url=f"{cluster.url}/v1/api", timeout=SECONDS_MAX) as buyer:
        assert (await buy(buyer, seat_id=3))["queueStatus"] == "DONE"
        await until_notified(cluster.database_url, times=1)

        os.kill(cluster.first_server, signal.SIGKILL)
        assert cluster.told("has ended")
        assert (await buy(buyer, seat_id=4))["queueStatus"] == "DONE"
        assert cluster.told("is back")
        await until_notified(cluster.database_url, times=2)

    assert "invariants hold." in cluster.say("check")
    assert not any(is_free(port) for port in ports)

    cluster.process.terminate()
    assert cluster.process.wait(SECONDS_MAX) == 0
    assert cluster.services.holder() is None
    assert all(is_free(port) for port in ports)


async def buy(buyer: httpx.AsyncClient, *, seat_id: int) -> dict[str, object]:
    """Line up, reserve and pay; return what the payment was answered."""
    buyer.headers.pop("Authorization", None)
    told = (await buyer.post("/queue/token", json={"userId": seat_id})).json()["data"]
    buyer.headers["Authorization"] = told["queueToken"]
    deadline = time.monotonic() + SECONDS_MAX
    while (await buyer.post("/queue/token/check")).json()["data"]["status"] != "PROGRESS":
        assert time.monotonic() < deadline
    reserved = (await buyer.post("/concerts/reserve", json={"scheduleId": 1, "seatId": seat_id})).json()["data"]
    paid = await buyer.post("/concerts/payment", json={"reservationId": reserved["reservationId"]})
    answer: dict[str, object] = paid.json()["data"]
    return answer


async def until_notified(database_url: str, *, times: int) -> None:
    """Wait until so many notifications are noted: the event went by the outbox, the relay, Kafka and the consumer."""

    def noted(connection: Connection) -> int:
        return int(connection.execute(NOTIFIED).scalar_one())

    lanes = ServerLanes(database_url)
    deadline = time.monotonic() + SECONDS_MAX
    try:
        while (count := await lanes.reading(noted)) < times:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
    finally:
        await lanes.close()
    assert count == times
