"""The contract suites of the waiting line over Redis: the same tests as in `tests/contract`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.line_stage import Stage
from tests.contract_redis.redis_stage import redis_stage


@pytest.fixture
async def new_stage(redis_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """The line on Redis, without a room."""
    async with redis_stage(redis_url, tmp_path / "record.db") as stage:
        yield stage
