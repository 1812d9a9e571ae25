"""The contract suites of the waiting line over Redis: the same tests as in `tests/contract`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stagedoor.kernel.clock import MINUTE_MS
from tests.contract.line_stage import Stage
from tests.contract_redis.redis_stage import redis_stage


@pytest.fixture
async def new_stage(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """The line on Redis, without a room."""
    # The stage's clock is set by hand, a lease runs by the server's: no turn is refused because the machine is slow.
    for name in ("LEASE_MS", "TURN_MS_MAX"):
        monkeypatch.setattr(f"stagedoor.adapters.redis.line_store.{name}", MINUTE_MS)
    async with redis_stage(redis_url, tmp_path / "record.db") as stage:
        yield stage
