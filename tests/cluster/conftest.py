"""A cluster's engines: each test has an empty database of either kind, and an empty Redis."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from scripts.services import MariaDB, PostgreSQL
from tests.cluster.evening import Cluster, lay_out, settings_for
from tests.e2e.harness.programme import RoomPlan
from tests.e2e.harness.server import PRODUCT
from tests.engines.fixtures import held, redis_server, redis_url

__all__ = ["redis_server", "redis_url"]

# What makes a new one of each kind. Nothing here outlives its server, so nothing waits for a disk.
DATABASES: dict[str, Callable[[], MariaDB | PostgreSQL]] = {
    "mariadb": partial(MariaDB, "--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0"),
    "postgresql": partial(PostgreSQL, "-c", "fsync=off", "-c", "synchronous_commit=off"),
}

Open = Callable[..., AbstractContextManager[Cluster]]


@pytest.fixture(scope="session", params=DATABASES)
def database_server(request: pytest.FixtureRequest) -> Iterator[MariaDB | PostgreSQL]:
    """A server of either kind."""
    yield from held(DATABASES[request.param]())


@pytest.fixture
def database_url(database_server: MariaDB | PostgreSQL) -> Iterator[str]:
    """The URL, as the settings want it, of an empty database."""
    with new_database(database_server) as url:
        yield url


@contextmanager
def new_database(server: MariaDB | PostgreSQL) -> Iterator[str]:
    """Make an empty database in *server*, and give its URL as the settings want it."""
    url = server.new_database()
    kind = "mariadb" if isinstance(server, MariaDB) else "postgresql"
    try:
        yield make_url(url).set(drivername=kind).render_as_string(hide_password=False)
    finally:
        server.drop_database(url)


@pytest.fixture
def cluster(database_url: str, redis_url: str, tmp_path: Path) -> Open:
    """Open a cluster of so many processes, with rooms and settings."""

    def opened(
        size: int, *rooms: RoomPlan, program: tuple[str, ...] = tuple(PRODUCT), **settings: str
    ) -> AbstractContextManager[Cluster]:
        programme = asyncio.run(lay_out(database_url, rooms))
        told = settings_for(database_url, redis_url, **settings)
        return Cluster.of(size, tmp_path, told, programme, program=program)

    return opened
