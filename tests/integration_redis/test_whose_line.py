"""A Redis that was kept for another database: its line is left alone, and nothing of it is believed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from scripts.services import Redis
from stagedoor.adapters.redis.client import StoreLost
from stagedoor.adapters.redis.line_store import ForeignLine
from stagedoor.adapters.sql.tables import line_reserve
from tests.builders.line import a_room
from tests.integration_redis.lines import Town, a_town


@pytest.fixture
async def town(redis_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(redis_url, tmp_path, a_room(max_active=2), installation="old") as town:
        yield town


@pytest.fixture
async def new_town(redis_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    """A house with another database, and the same Redis."""
    folder = tmp_path / "new"
    folder.mkdir()
    async with a_town(redis_url, folder, a_room(max_active=2), installation="new") as town:
        yield town


async def test_the_line_of_another_database_is_refused_and_goes_on(town: Town, new_town: Town) -> None:
    owner, stranger = town.start(), new_town.start()
    await owner.join(1, 2, 3)
    await owner.turn()

    with pytest.raises(ForeignLine, match=r"STAGEDOOR_REDIS_URL.*FLUSHDB"):
        await stranger.line.refresh()
    with pytest.raises(ForeignLine):
        await stranger.join(9)
    with pytest.raises(ForeignLine):
        await stranger.turn()

    assert await owner.join(4) == [4]
    assert await new_town.file.reading(lambda c: c.execute(select(line_reserve)).all()) == []


async def test_once_it_was_emptied_it_is_the_new_one_s_alone(town: Town, new_town: Town, redis_server: Redis) -> None:
    """Both are in their first epoch: what the old one sends still must not be taken for the new one's."""
    owner, stranger = town.start(), new_town.start()
    await owner.join(1, 2, 3)
    await owner.turn()

    redis_server.empty()
    assert await stranger.join(9) == [1]
    with pytest.raises(StoreLost):
        await owner.join(4)
    with pytest.raises(ForeignLine):
        await owner.join(4)

    assert await stranger.join(10) == [2]
    with pytest.raises(ForeignLine):
        await owner.line.refresh()


async def test_of_two_that_find_it_empty_at_once_one_gets_it(town: Town, new_town: Town) -> None:
    owners = [town.start(), new_town.start()]

    outcomes = await asyncio.gather(*(owner.join(7) for owner in owners), return_exceptions=True)

    assert sorted(str(outcome) for outcome in outcomes if not isinstance(outcome, ForeignLine)) == ["[1]"]
    assert sum(isinstance(outcome, ForeignLine) for outcome in outcomes) == 1
