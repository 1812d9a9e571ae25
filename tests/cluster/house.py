"""A whole cluster: two servers behind nginx, two relays and a consumer, on real engines; each part may be harmed."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Self

from sqlalchemy import bindparam, func, select
from typing_extensions import override

from scripts.cluster import Member
from scripts.services import Kafka, MariaDB, Nginx, PostgreSQL, Redis
from scripts.services.__main__ import as_setting
from scripts.services.server import HOST, free_port
from stagedoor.adapters.sql.server_lanes import COMMAND, ServerLanes
from stagedoor.adapters.sql.tables import admission_pass
from tests.cluster.evening import Cluster, lay_out, settings_for
from tests.cluster.falls_asleep import is_asleep
from tests.e2e.harness.programme import RoomPlan
from tests.e2e.harness.server import PRODUCT, ROOT
from tests.kafka.house import EventsHouse, leader_of

ENGINES: Mapping[str, type[MariaDB | PostgreSQL]] = {"mariadb": MariaDB, "postgresql": PostgreSQL}
PROCESSES = 2
FIGURES = {
    "RELAY_IN_SERVER": "false",
    "TRUSTED_PROXIES": HOST,
    "DISK_RESERVE_PERCENT": "0",  # a sale of tests must not depend on the machine's disk
    "LOG_FORMAT": "json",
    "LOG_LEVEL": "info",
}


class Part(Member):
    """One process of the cluster, by the product's own launcher or by another one."""

    def __init__(
        self, *words: str, settings: Mapping[str, str], port: int = 0, program: Sequence[str] = PRODUCT
    ) -> None:
        """Run *program* with *words*; it serves where it has a *port*."""
        super().__init__(words[0], *words, settings=settings, port=port)
        self._program = program

    @override
    def command(self) -> Sequence[str | Path]:
        """Return what runs it."""
        return [sys.executable, *self._program, *self.options]

    @property
    def sleeps(self) -> bool:
        """Whether its process is stopped."""
        return is_asleep(self.pid)

    def said(self, event: str) -> list[dict[str, object]]:
        """Return the lines that it logged of *event*; the last one of a killed process may not be whole."""
        lines = [line for line in self.log.splitlines() if f'"{event}"' in line and line.endswith("}")]
        return [line for line in map(json.loads, lines) if line["event"] == event]


class House:
    """All parts, and what can be asked of them from outside."""

    def __init__(self, database: MariaDB | PostgreSQL, redis: Redis, kafka: Kafka, cluster: Cluster) -> None:
        """Have these engines, and *cluster*, which knows the programme and starts no process."""
        self.database = database
        self.redis = redis
        self.kafka = kafka
        self.cluster = cluster
        self.servers: list[Part] = []
        self.relays: list[Part] = []
        self.consumer = self._part("consume", "notifications")
        self.nginx = Nginx()

    @classmethod
    @contextmanager
    def of(cls, kind: str, room: RoomPlan, *, members: int, program: Sequence[str] = PRODUCT) -> Iterator[Self]:
        """
        Start everything on a database of this *kind*, servers and relays by *program*.

        At the end all of it is gone, however the story went.
        """
        database, redis, kafka = ENGINES[kind](), Redis(), Kafka()
        with ExitStack() as stack, ThreadPoolExecutor() as threads:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stagedoor-house-")))
            list(threads.map(stack.enter_context, (database, redis, kafka)))
            url = as_setting(database.new_database())
            programme = asyncio.run(lay_out(url, [room], members=members))
            settings = settings_for(url, redis.url, **FIGURES, KAFKA_BOOTSTRAP=kafka.bootstrap)
            house = cls(database, redis, kafka, Cluster(folder, settings, programme))
            for _ in range(PROCESSES):
                port = free_port()
                house.servers.append(house._part("serve", "--port", str(port), port=port, program=program))
                house.relays.append(house._part("relay", program=program))
            house.nginx = Nginx(*(server.port for server in house.servers))
            list(threads.map(stack.enter_context, (*house.servers, *house.relays, house.consumer, house.nginx)))
            yield house

    def _part(self, *words: str, port: int = 0, program: Sequence[str] = PRODUCT) -> Part:
        settings = {f"STAGEDOOR_{name}": value for name, value in self.cluster.settings.items()}
        ours = {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
        return Part(*words, settings=settings | ours, port=port, program=program)

    @asynccontextmanager
    async def lanes(self) -> AsyncIterator[ServerLanes]:
        """Open the database for a look."""
        lanes = ServerLanes(self.cluster.settings["DATABASE_URL"], COMMAND)
        try:
            yield lanes
        finally:
            await lanes.close()

    def admitter(self) -> Part:
        """Return the server that was the last to begin to lead the line."""

        def fence(server: Part) -> tuple[object, ...]:
            return max(((line["epoch"], line["fence"]) for line in server.said("line.leading")), default=())

        return max(self.servers, key=fence)

    def follower(self) -> Part:
        """Return a server that does not lead."""
        admitter = self.admitter()
        return next(server for server in self.servers if server is not admitter)

    async def relay(self) -> Part | None:
        """Return the relay that leads, None while nobody does."""
        async with self.lanes() as lanes:
            leader = leader_of(await EventsHouse(lanes).lease())
        return next((relay for relay in self.relays if relay.pid == leader), None)

    async def admissions(self, since: int) -> int:
        """Count who was let in after that instant."""
        async with self.lanes() as lanes:
            return await lanes.reading(lambda connection: connection.scalar(_ADMISSIONS, {"since": since}) or 0)


_ADMISSIONS = select(func.count()).select_from(admission_pass).where(admission_pass.c.admitted_at > bindparam("since"))
