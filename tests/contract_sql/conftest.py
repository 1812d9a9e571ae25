"""The contract suites of the sale over the servers: the same tests as in `tests/contract`, over `STORES`."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from scripts.services import MariaDB, PostgreSQL
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.server_lanes import SERVING
from stagedoor.kernel.clock import SECOND_MS
from tests.builders.server_store import open_server, prepare
from tests.contract.conftest import clock, house
from tests.engines.fixtures import held

__all__ = ["clock", "house"]

PATIENT = replace(SERVING, deadline_ms=120 * SECOND_MS, statement_ms=110 * SECOND_MS, lock_ms=100 * SECOND_MS)
"""As many connections as a server has, so that races are races; nobody is put off because the machine is slow."""

# Nothing here outlives its server, so nothing waits for a disk.
SERVERS: dict[str, MariaDB | PostgreSQL] = {
    "mariadb": MariaDB("--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0"),
    "postgresql": PostgreSQL("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "deadlock_timeout=50ms"),
}


@pytest.fixture(scope="session", params=SERVERS)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database with our tables."""
    for server in held(SERVERS[request.param]):
        url = server.new_database()
        asyncio.run(prepare(url))
        yield url


@pytest.fixture
async def lanes(database: str) -> AsyncIterator[Lanes]:
    """That database with the programme of `tests.builders.sale` in it, and nothing sold."""
    async with open_server(database, PATIENT) as opened:
        yield opened
