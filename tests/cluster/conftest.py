"""A cluster's engines: each test has an empty database of either kind, and an empty Redis."""

from collections.abc import Iterator

import pytest
from sqlalchemy.engine import make_url

from scripts.services import MariaDB, PostgreSQL
from tests.engines.fixtures import held, redis_server, redis_url

__all__ = ["redis_server", "redis_url"]

# Nothing here outlives its server, so nothing waits for a disk.
DATABASES: dict[str, MariaDB | PostgreSQL] = {
    "mariadb": MariaDB("--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0"),
    "postgresql": PostgreSQL("-c", "fsync=off", "-c", "synchronous_commit=off"),
}


@pytest.fixture(scope="session", params=DATABASES)
def database_server(request: pytest.FixtureRequest) -> Iterator[MariaDB | PostgreSQL]:
    """A server of either kind."""
    yield from held(DATABASES[request.param])


@pytest.fixture
def database_url(database_server: MariaDB | PostgreSQL) -> Iterator[str]:
    """The URL, as the settings want it, of an empty database."""
    url = database_server.new_database()
    kind = "mariadb" if isinstance(database_server, MariaDB) else "postgresql"
    yield make_url(url).set(drivername=kind).render_as_string(hide_password=False)
    database_server.drop_database(url)
