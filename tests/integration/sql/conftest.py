"""A SQLite file with the programme of `tests.builders.sale` in it, and the sale over it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.kernel.clock import ManualClock
from tests.builders.sale import NOON
from tests.builders.store import House, open_sqlite


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
async def sold_from(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    async with open_sqlite(tmp_path) as opened:
        yield opened


@pytest.fixture
def house(sold_from: SqliteFile, clock: ManualClock) -> House:
    return House(sold_from, clock)
