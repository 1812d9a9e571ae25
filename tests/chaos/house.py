"""A cluster whose every way to a dependency leads through a proxy that can spoil it."""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from scripts.cluster import STAGEDOOR, Member, own_environment
from scripts.services import Kafka, MariaDB, PostgreSQL, Redis
from scripts.services.__main__ import as_setting
from scripts.services.server import HOST, free_port
from stagedoor.adapters.sql.server_lanes import COMMAND, ServerLanes
from tests.chaos.plan import Dependency
from tests.cluster.evening import lay_out, settings_for
from tests.e2e.harness.programme import RoomPlan, Staged, a_room, a_show
from tests.e2e.harness.server import ROOT
from tests.faults.proxy import Proxy
from tests.kill.stored import Stored, stored_in

DATABASES: Mapping[str, type[MariaDB | PostgreSQL]] = {"mariadb": MariaDB, "postgres": PostgreSQL}

MEMBERS = 4_000
SEATS = 8_100
HOUR_MS = 3_600_000
ADMITTED_A_SECOND = 10.0
MAX_ACTIVE = 60

ROOM: RoomPlan = a_room(
    "main",
    a_show(seats=SEATS),
    max_active=MAX_ACTIVE,
    rate=ADMITTED_A_SECOND,
    session_max_ms=HOUR_MS,
    # Nobody is taken for absent: a buyer may be cut off for as long as an outage lasts.
    idle_timeout_ms=HOUR_MS,
    entry_window_ms=HOUR_MS,
    away_after_ms=HOUR_MS,
)

HOLD_S = 20
CHANGE_S, READ_S = 3, 2
BREAKER_WAIT_S = 4
FIGURES = {
    "HOLD_SECONDS": str(HOLD_S),
    "DEADLINE_CHANGE_SECONDS": str(CHANGE_S),
    "DEADLINE_READ_SECONDS": str(READ_S),
    "RELAY_IN_SERVER": "false",
    "LOG_FORMAT": "json",
    "LOG_LEVEL": "info",
    "DISK_RESERVE_PERCENT": "0",
}
"""Holds, deadlines and breakers that are short, so that a few minutes show what becomes of them."""

BREAKERS = f"""\
resilience4j:
  circuitbreaker:
    configs:
      default:
        slidingWindowType: COUNT_BASED
        slidingWindowSize: 12
        minimumNumberOfCalls: 6
        failureRateThreshold: 50
        waitDurationInOpenState: {BREAKER_WAIT_S}s
        permittedNumberOfCallsInHalfOpenState: 5
    instances:
      queueService: {{baseConfig: default}}
      concertService: {{baseConfig: default}}
      saleService: {{baseConfig: default}}
      database: {{baseConfig: default}}
      databaseReads: {{baseConfig: default}}
      redis: {{baseConfig: default}}
      kafka: {{slidingWindowSize: 2, minimumNumberOfCalls: 1, waitDurationInOpenState: {BREAKER_WAIT_S}s}}
"""

SERVERS = ("server 1", "server 2")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """
    A cluster that is up: two servers, a relay and a consumer, by name in *processes*.

    *direct_url* is the database without its proxy, for whoever looks afterwards.
    """

    processes: Mapping[str, Member]
    proxies: Mapping[Dependency, Proxy]
    show: Staged
    settings: Mapping[str, str]
    direct_url: str

    @property
    def servers(self) -> Sequence[Member]:
        """The processes that serve."""
        return [self.processes[name] for name in SERVERS]

    async def stored(self) -> Stored:
        """Read all that the sale has left, in one state."""
        lanes = ServerLanes(self.direct_url, COMMAND)
        try:
            return await lanes.reading(stored_in)
        finally:
            await lanes.close()

    async def check(self) -> tuple[bool, str]:
        """Run `stagedoor check`; return whether every invariant holds, and what it printed."""
        environment = own_environment({**self.settings, "STAGEDOOR_DATABASE_URL": self.direct_url})
        process = await asyncio.create_subprocess_exec(
            *STAGEDOOR, "check", env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
        return process.returncode == 0, said.decode(errors="replace").strip()


@contextmanager
def a_house(folder: Path, *, database: str = "mariadb", program: Sequence[str] = STAGEDOOR) -> Iterator[House]:
    """Open the cluster; *program* is what `server 1` is run by, the other processes are the product's."""
    with ExitStack() as stack:
        kafka_port = free_port()
        proxy = stack.enter_context(Proxy(kafka_port))
        # A broker tells its clients where to call it, so that has to be the proxy's address.
        kafka = Kafka(f"advertised.listeners=PLAINTEXT://{HOST}:{proxy.port}")
        kafka.port = kafka_port
        proxies = {Dependency.KAFKA: proxy}
        engine, redis = DATABASES[database](), Redis()
        _start(stack, engine, redis, kafka)
        for dependency, server in ((Dependency.DATABASE, engine), (Dependency.REDIS, redis)):
            proxies[dependency] = stack.enter_context(Proxy(server.port))
        direct_url = as_setting(engine.new_database())
        programme = asyncio.run(lay_out(direct_url, [ROOM], members=MEMBERS))
        (folder / "breakers.yaml").write_text(BREAKERS, encoding="utf-8")
        told = settings_for(
            _by(proxies[Dependency.DATABASE], direct_url),
            _by(proxies[Dependency.REDIS], redis.url),
            KAFKA_BOOTSTRAP=f"{HOST}:{proxy.port}",
            CONFIG=str(folder / "breakers.yaml"),
            **FIGURES,
        )
        settings = {f"STAGEDOOR_{name}": value for name, value in told.items()}
        settings["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        processes = _processes(settings, program)
        _start(stack, *processes.values())
        yield House(
            processes=processes,
            proxies=proxies,
            show=programme.shows[ROOM.id][0],
            settings=settings,
            direct_url=direct_url,
        )


class Launched(Member):
    """A process of the cluster that another program runs than the product's own."""

    def __init__(self, name: str, *words: str, settings: Mapping[str, str], port: int, program: Sequence[str]) -> None:
        """Run *program* with *words*."""
        super().__init__(name, *words, settings=settings, port=port)
        self._program = program

    def command(self) -> Sequence[str | Path]:
        """Return what runs it."""
        return [*self._program, *self.options]


def _processes(settings: Mapping[str, str], program: Sequence[str]) -> Mapping[str, Member]:
    programs = (program, STAGEDOOR)
    processes: dict[str, Member] = {}
    for name, run_by in zip(SERVERS, programs, strict=True):
        port = free_port()
        words = ("serve", "--port", str(port))
        processes[name] = Launched(name, *words, settings=settings, port=port, program=run_by)
    processes["relay"] = Member("relay", "relay", settings=settings)
    processes["consumer"] = Member("consumer", "consume", "notifications", settings=settings)
    return processes


def _start(stack: ExitStack, *servers: MariaDB | PostgreSQL | Redis | Kafka | Member) -> None:
    with ThreadPoolExecutor() as threads:
        for started in [threads.submit(stack.enter_context, server) for server in servers]:
            started.result()


def _by(proxy: Proxy, url: str) -> str:
    """Return *url* with the proxy's port in it."""
    return make_url(url).set(port=proxy.port).render_as_string(hide_password=False)


def python(launcher: Path) -> Sequence[str]:
    """Return the program that runs *launcher* with the product's words."""
    return (sys.executable, str(launcher))
