"""A database on either server, and a way to it on which anything can happen."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.engine import make_url

from stagedoor.adapters.sql.server_lanes import ServerLanes
from tests.builders.server_store import open_server
from tests.contract.conftest import clock, house
from tests.contract_sql.conftest import database
from tests.faults.proxy import Proxy

__all__ = ["clock", "database", "house"]


@pytest.fixture
async def lanes(database: str) -> AsyncIterator[ServerLanes]:
    """The database with the programme of `tests.builders.sale` in it, and nothing sold."""
    async with open_server(database) as opened:
        yield opened


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    """Stands before the server; whoever comes by it can be spoilt."""
    port = make_url(database).port
    assert port is not None
    with Proxy(port) as opened:
        yield opened


@pytest.fixture
def by_proxy(database: str, proxy: Proxy) -> str:
    """The same database, by the proxy."""
    return make_url(database).set(port=proxy.port).render_as_string(hide_password=False)
