"""A server of a cluster with one of its dependencies behind a proxy, and what is stored behind it."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from scripts.services import Kafka, MariaDB, PostgreSQL, Redis
from stagedoor.adapters.kafka.wire import ORDERS
from stagedoor.adapters.sql.invariants import check_all
from stagedoor.adapters.sql.server_lanes import COMMAND, ServerLanes
from stagedoor.checkout.events import OrderPaid
from stagedoor.kernel.clock import Instant
from tests.cluster.evening import lay_out, settings_for
from tests.e2e.harness.answers import now_ms
from tests.e2e.harness.checkers import money_astray
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import OPENING_BALANCE_WON
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import Programme, Staged, a_room, a_show
from tests.e2e.harness.promises import PAY, granted
from tests.e2e.harness.server import Server
from tests.faults.kafka_addresses import KafkaProxy
from tests.faults.proxy import Proxy
from tests.faults.sql_moments import SqlProxy
from tests.kafka.topics import events_on
from tests.outage_cluster.cells import CELLS, Cell, Dependency, Stage
from tests.outage_cluster.facts import Facts

PROGRAM = ("-m", "tests.outage_cluster.watched")
BREAKERS = Path(__file__).with_name("breakers.yaml")
DEADLINE_S = 2.5
STALE_LIST_S = 3.0
SETTINGS = {
    "CONFIG": str(BREAKERS),
    "DEADLINE_CHANGE_SECONDS": str(DEADLINE_S),
    "DEADLINE_READ_SECONDS": str(DEADLINE_S),
    "STALE_LIST_SECONDS_MAX": str(STALE_LIST_S),
    "LIMIT_CHARGES_OF_BUYER": "100000+1000/s",
}
PATIENT = {"idle_timeout_ms": 3_600_000, "session_max_ms": 3_600_000, "entry_window_ms": 3_600_000}
SALE = a_room("sale", a_show(seats=600), **PATIENT)
LINE = a_room("line", a_show(seats=10), max_active=1_000, rate=2.0, **PATIENT)
MEMBERS = 1_500
CATCHING_UP_LOOKS = 40
CATCHING_UP_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The cells of one dependency and one stage."""

    dependency: Dependency
    stage: Stage
    cells: Sequence[Cell]

    def __str__(self) -> str:
        return f"{self.dependency.value}-{self.stage.value}".lower()


def rows_of(cells: Sequence[Cell] = CELLS) -> Sequence[Row]:
    """Gather *cells* by their dependency and their stage."""
    return [
        Row(dependency=dependency, stage=stage, cells=some)
        for dependency, stage in itertools.product(Dependency, Stage)
        if (some := [cell for cell in cells if (cell.dependency, cell.stage) == (dependency, stage)])
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The real ones, each shared by all rows that need it, every row with a database of its own in it."""

    databases: Mapping[Dependency, MariaDB | PostgreSQL]
    redis: Redis
    kafka: Kafka
    numbers: Iterator[int] = field(default_factory=itertools.count)
    laying_out: asyncio.Lock = field(default_factory=asyncio.Lock)
    """What makes a schema is one thing for the whole process."""


REDIS_DATABASES = 64


@contextmanager
def engines() -> Iterator[Engines]:
    """Start all of them; what they hold outlives nobody, so nothing waits for a disk."""
    with ExitStack() as stack:
        yield Engines(
            databases={
                Dependency.MARIADB: stack.enter_context(
                    MariaDB("--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0")
                ),
                Dependency.POSTGRESQL: stack.enter_context(
                    PostgreSQL("-c", "fsync=off", "-c", "synchronous_commit=off")
                ),
            },
            redis=stack.enter_context(Redis("--databases", str(REDIS_DATABASES))),
            kafka=stack.enter_context(Kafka()),
        )


class House:
    """One server, and how its database is looked at beside the proxy."""

    def __init__(self, server: Server, proxy: Proxy, lanes: ServerLanes, programme: Programme, kafka: Kafka) -> None:
        self.server = server
        self.proxy = proxy
        self.facts = Facts(server.log.parent)
        self.kafka = kafka
        self._lanes = lanes
        self._programme = programme
        self._seats = iter(self.show.seat_ids)
        self._buyers = itertools.count(1)

    @property
    def show(self) -> Staged:
        """What is sold."""
        return self._programme.shows[SALE.id][0]

    @property
    def seats(self) -> Iterator[int]:
        """Seats that nobody wanted yet."""
        return self._seats

    def fans(self, count: int, client: Client, room_id: str) -> list[Fan]:
        """Return buyers who have not done anything yet."""
        return [Fan(client=client, buyer_id=n, room_id=room_id) for n in itertools.islice(self._buyers, count)]

    async def astray(self, cell: Cell, client: Client) -> Sequence[str]:
        """Say what is stored that should not be, or is not as it was answered, once what is on its way has arrived."""
        wrong: Sequence[str] = []
        for _ in range(CATCHING_UP_LOOKS):
            wrong = [*await self._violated(), *await self._money(client), *await self._unsent(cell, client)]
            if not wrong:
                break
            await asyncio.sleep(CATCHING_UP_S)
        return wrong

    async def lost(self) -> Mapping[str, int]:
        """Return what never comes back into its pool or out of its bulkhead, now that nobody asks for anything."""
        lost: Mapping[str, int] = {}
        for _ in range(CATCHING_UP_LOOKS):
            lost = self.facts.taken()
            if not lost:
                break
            await asyncio.sleep(CATCHING_UP_S)
        return lost

    async def _violated(self) -> Sequence[str]:
        found = await self._lanes.reading(
            lambda connection: check_all(connection, now=Instant(now_ms()), seats_per_buyer=4)
        )
        return [f"{one.name} does not hold: {one}" for one in found if not one.holds]

    async def _money(self, client: Client) -> Sequence[str]:
        buyers = {answer.buyer_id for answer in client.record}
        paid = {answer.asked["reservationId"] for answer in granted(client.record, PAY)}

        def read(connection: Connection) -> tuple[dict[int, int], set[int]]:
            wallets = connection.execute(text("SELECT buyer_id, balance_won FROM wallet")).all()
            orders = connection.execute(text("SELECT buyer_id, hold_id FROM purchase")).all()
            return (
                {buyer_id: balance for buyer_id, balance in wallets if buyer_id in buyers},
                {hold_id for buyer_id, hold_id in orders if buyer_id in buyers},
            )

        balances, ordered = await self._lanes.reading(read)
        wrong = money_astray(client.record, opening=OPENING_BALANCE_WON, balances=balances)
        if ordered != paid:
            wrong.append(f"paid and answered differ in {ordered ^ paid}")
        return wrong

    async def _unsent(self, cell: Cell, client: Client) -> Sequence[str]:
        if cell.dependency is not Dependency.KAFKA:
            return []
        waiting = await self._lanes.reading(
            lambda connection: connection.scalar(text("SELECT COUNT(*) FROM broker_outbox WHERE state = 1"))
        )
        if waiting:
            return [f"{waiting} events still wait for Kafka"]
        told = {
            event.hold_id for event in await events_on(self.kafka.bootstrap, ORDERS) if isinstance(event, OrderPaid)
        }
        paid = {answer.asked["reservationId"] for answer in granted(client.record, PAY)}
        return [f"Kafka was not told of {paid - told}"] if paid - told else []


@asynccontextmanager
async def opened(
    engines: Engines, row: Row, folder: Path, *, program: Sequence[str] = PROGRAM, **more: str
) -> AsyncIterator[House]:
    """
    Serve from an empty database, with the dependency of *row* behind a proxy.

    *program* is what serves, *more* settings win over ours.
    """
    number = next(engines.numbers)
    kind = row.dependency if row.dependency.is_database else list(engines.databases)[number % 2]
    database = engines.databases[kind]
    made = make_url(database.new_database()).set(drivername=kind.value.lower())
    url = made.render_as_string(hide_password=False)
    redis = make_url(engines.redis.url).set(database=str(number % REDIS_DATABASES))
    async with engines.laying_out:
        programme = await lay_out(url, [SALE, LINE], members=MEMBERS)
    lanes = ServerLanes(url, COMMAND)
    folder.mkdir(parents=True)  # noqa: ASYNC240 -- before anything runs
    with _proxy(engines, row.dependency, database.port) as proxy:
        settings = settings_for(
            (made.set(port=proxy.port) if row.dependency.is_database else made).render_as_string(hide_password=False),
            (redis.set(port=proxy.port) if row.dependency is Dependency.REDIS else redis).render_as_string(
                hide_password=False
            ),
            **{**SETTINGS, **more},
        )
        if row.dependency is Dependency.KAFKA:
            settings["KAFKA_BOOTSTRAP"] = f"127.0.0.1:{proxy.port}"
        server = Server.start(folder / "unused.db", settings, program=program)
        try:
            await asyncio.to_thread(lambda: server.port)
            yield House(server, proxy, lanes, programme, engines.kafka)
        finally:
            await asyncio.to_thread(server.close)
            await lanes.close()


def _proxy(engines: Engines, dependency: Dependency, database_port: int) -> Proxy:
    match dependency:
        case Dependency.REDIS:
            return Proxy(engines.redis.port)
        case Dependency.KAFKA:
            return KafkaProxy(engines.kafka.port)
        case _:
            return SqlProxy(database_port)
