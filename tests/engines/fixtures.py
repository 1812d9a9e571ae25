"""
The engines as fixtures, for every suite: a server for the session, and nothing in it for each test.

A test that kills its server, or wants other options, starts one of its own:
`with MariaDB("--innodb-lock-wait-timeout=1") as server`. Where an engine is not
on the machine, its tests are skipped, which `make test` lists and .ci/run does
not let pass.
"""

from collections.abc import Iterator
from typing import TypeVar

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from scripts.services import Kafka, MariaDB, PostgreSQL, Redis, Server

AServer = TypeVar("AServer", bound=Server)


def held(server: AServer) -> Iterator[AServer]:
    """Hold *server* until the session's end."""
    if missing := server.missing():
        pytest.skip(f"needs {missing}, which this machine does not have")
    with server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    yield from held(MariaDB())


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    yield from held(PostgreSQL())


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    yield from held(Redis())


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    yield from held(Kafka())


@pytest.fixture
def mariadb_url(mariadb: MariaDB) -> Iterator[str]:
    """The URL of an empty database in MariaDB."""
    url = mariadb.new_database()
    yield url
    mariadb.drop_database(url)


@pytest.fixture
def postgres_url(postgres: PostgreSQL) -> Iterator[str]:
    """The URL of an empty database in PostgreSQL."""
    url = postgres.new_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """The URL of a Redis that knows no key and no script."""
    redis_server.empty()
    return redis_server.url


@pytest.fixture
async def kafka_bootstrap(kafka: Kafka) -> str:
    """The address of a Kafka that has no topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        while topics := [name for name in await admin.list_topics() if not name.startswith("__")]:
            await admin.delete_topics(topics)
    finally:
        await admin.close()
    return kafka.bootstrap
