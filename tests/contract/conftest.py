"""Every store behind the ports that is in the process: one suite a port. `tests/contract_sql` runs them on servers."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.kernel.clock import ManualClock
from tests.builders.sale import NOON
from tests.builders.store import House, open_sqlite
from tests.contract.line_stage import Stage, embedded_stage

Open = Callable[[Path], AbstractAsyncContextManager[Lanes]]

STORES: dict[str, Open] = {"sqlite": open_sqlite}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture(params=STORES)
async def lanes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lanes]:
    """A database with the schema and the programme of `tests.builders.sale` in it, and nothing sold."""
    async with STORES[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
def house(lanes: Lanes, clock: ManualClock) -> House:
    """The sale over that database."""
    return House(lanes, clock)


@pytest.fixture
async def new_stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """The embedded line, without a room; the line on Redis has the same suites in `tests/contract_redis`."""
    async with embedded_stage(tmp_path / "line.db") as stage:
        yield stage
