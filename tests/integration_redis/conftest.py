"""Where most stories of a line on Redis play: a town with one room, in which two may be inside."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.builders.line import a_room
from tests.integration_redis.lines import Town, a_town


@pytest.fixture
async def town(redis_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(redis_url, tmp_path, a_room(max_active=2)) as town:
        yield town
