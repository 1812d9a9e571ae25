"""What Redis keeps over its restarts: one copy of the line, however often it has begun anew."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from scripts.services import Redis
from tests.builders.line import a_ref, a_room
from tests.engines.fixtures import held
from tests.integration_redis.lines import Process, Town, a_town, lose, refreshed

RESTARTS = 5
WAITING = 2_500


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    """A Redis that comes back with what it had when it was last saved."""
    yield from held(Redis())


@pytest.fixture
async def town(redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    redis.start()
    redis.empty()
    # A copy of a thousand places a piece, made at every turn that changes something.
    monkeypatch.setattr("stagedoor.adapters.redis.checkpoints.CHUNK_ROWS", 1_000)
    monkeypatch.setattr("stagedoor.adapters.redis.leading.CHECKPOINT_EVERY", 1 - WAITING)
    async with a_town(redis.url, tmp_path, a_room(max_active=2, line_max=2 * WAITING)) as town:
        yield town


async def kept(process: Process) -> dict[str, int]:
    """Return every key, with the bytes it takes."""
    return {key.decode(): await process.ask("MEMORY USAGE", key) for key in await process.ask("KEYS", "*")}


async def test_five_restarts_leave_one_copy_of_the_line(redis: Redis, town: Town) -> None:
    process = town.start()
    await process.join(*range(1, WAITING + 1))
    await process.turn()
    await process.line.refresh()
    after: list[dict[str, int]] = []

    for _ in range(RESTARTS):
        assert redis.ask("SAVE") == "+OK"
        await lose(redis)
        await refreshed(process)
        after.append(await kept(process))

    pieces = [[key for key in keys if ":checkpoint:" in key] for keys in after]
    assert [len(names) for names in pieces] == [len(pieces[0])] * RESTARTS
    assert pieces[0] != pieces[-1]
    assert len(pieces[0]) >= WAITING / 1_000
    assert sum(after[-1].values()) < 1.1 * sum(after[0].values())


async def test_copies_that_were_made_while_it_ran_replace_one_another(town: Town) -> None:
    process = town.start()
    await process.turn()
    for start in range(1, WAITING + 1, 500):
        await process.join(*range(start, start + 500))
        await process.line.use_up([a_ref(number) for number in (start, start + 1)])
        await process.turn()

    names = [key for key in await kept(process) if ":checkpoint:" in key]
    assert len(names) == -(-WAITING // 1_000)
    assert [await process.ask("PTTL", name) for name in names] == [-1] * len(names)
    late = town.start()
    await late.line.refresh()
    assert late.line.view(late.room.id) == process.line.view(process.room.id)
