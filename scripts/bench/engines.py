"""What the cluster profile is measured on: processes of the product, Redis and a database server, started for a row."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.engine import make_url

from scripts.bench import CONNECTIONS
from scripts.bench.cores import Cores, pinned
from scripts.services import ENGINES, MariaDB, PostgreSQL, Redis
from scripts.services.sql_server import SqlServer

MARIADB, POSTGRESQL = "mariadb", "postgresql"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database server to measure on: *said* is a query that has it say its version, and how sure a commit is."""

    engine: type[SqlServer]
    said: str


DATABASES: Mapping[str, Database] = {
    MARIADB: Database(
        engine=MariaDB,
        said="SELECT CONCAT('MariaDB ', VERSION(), ', innodb_flush_log_at_trx_commit=', "
        "@@innodb_flush_log_at_trx_commit, ', log_bin=', @@log_bin)",
    ),
    POSTGRESQL: Database(
        engine=PostgreSQL,
        said="SELECT 'PostgreSQL ' || current_setting('server_version') || ', synchronous_commit=' || "
        "current_setting('synchronous_commit') || ', fsync=' || current_setting('fsync')",
    ),
}
"""By what the settings call them. Every commit is on disk before it is answered, as on all servers of the tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """
    So many *processes* behind one port, on Redis and a *database*, called on *crowds* times as many connections as one.

    With *everywhere* they, the engines and the client have all cores; otherwise the engines are on the client's.
    """

    database: str
    processes: int = 1
    crowds: int = 1
    everywhere: bool = False

    @property
    def connections(self) -> int:
        """On how many connections it is called."""
        return CONNECTIONS * self.crowds

    def cores(self, cores: Cores) -> Cores:
        """Return who is where."""
        return cores.for_all() if self.everywhere else cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """
    Engines that run for a setup: their *pids*, and the *settings* by which they are found.

    Whoever works with them is called on so many *connections*. *said* is what they say of themselves, and that.
    """

    connections: int
    pids: Sequence[int]
    settings: Mapping[str, str]
    said: str


@contextmanager
def running(setup: Setup, cores: Cores) -> Iterator[Engines]:
    """Start the engines of *setup* with nothing in them, on the client's core or on all of them."""
    kind = DATABASES[setup.database]
    with pinned(setup.cores(cores).client):
        database, redis = kind.engine(), Redis()
        with database, redis:
            url = make_url(database.new_database()).set(drivername=setup.database)
            yield Engines(
                connections=setup.connections,
                pids=[database.pid, redis.pid],
                settings={
                    "DATABASE_URL": url.render_as_string(hide_password=False),
                    "REDIS_URL": redis.url,
                    "SECRET": secrets.token_urlsafe(48),
                    "WORKERS": str(setup.processes),
                },
                said=f"{_counted(setup.processes)} on {setup.connections} connections, "
                f"{database.ask(kind.said).strip()}, and Redis: "
                + ("everybody on all cores" if setup.everywhere else "the engines on the client's core"),
            )


def _counted(processes: int) -> str:
    return "1 process" if processes == 1 else f"{processes} processes"


def missing() -> Sequence[str]:
    """Name what the engines need and this machine does not have."""
    return [lack for name in (MariaDB.name, PostgreSQL.name, Redis.name) if (lack := ENGINES[name].missing())]
