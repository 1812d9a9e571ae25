"""What is asked of the server: commands that 6.2 has, and not much memory."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis as Client

from stagedoor.kernel.clock import DAY_MS, Instant
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.ports import Join
from tests.builders.line import a_room
from tests.integration_redis.lines import Town, a_town

OLDEST = (6, 2, 0)
WAITING = 1_000_000
BYTES_A_BUYER_MAX = 300


@pytest.fixture
async def town(redis_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(redis_url, tmp_path, a_room(max_active=2)) as town:
        yield town


@pytest.fixture
async def operator(redis_url: str) -> AsyncIterator[Client]:
    """Somebody who asks the server about itself."""
    client = Client.from_url(redis_url, protocol=2)
    yield client
    await client.aclose()


async def _since(operator: Client, command: str) -> tuple[int, ...]:
    """Return since which version the server says that *command* exists."""
    asked: Any = operator.execute_command("COMMAND DOCS", command)  # type: ignore[no-untyped-call]
    _, documented = await asked
    documents = dict(zip(documented[::2], documented[1::2], strict=True))
    return tuple(int(part) for part in documents[b"since"].split(b"."))


async def test_every_command_that_is_sent_is_as_old_as_6_2(
    town: Town, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stagedoor.adapters.redis.leading.CHECKPOINT_EVERY", 1)
    await operator.config_resetstat()
    one, other = town.start(), town.start()
    key = IdempotencyKey(value="k", fingerprint="body")
    await one.line.join([Join(room=one.room, buyer_id=BuyerId(1), key=key)])
    for process in (one, other, one):
        await process.join(2, 3)
        await process.turn()
        await process.look(1)
        await process.line.refresh()
    now = Instant(town.start().line._clock.now() - DAY_MS)  # noqa: SLF001 -- a day ago, as the line sees it
    await one.line.forget(ended_before=now, keys_before=now, limit=10)
    await one.line.hand_over()

    found = await operator.info("commandstats")
    sent = {name.removeprefix("cmdstat_").partition("|")[0] for name in found} - {"config"}
    assert sent >= {"evalsha", "xadd", "xrange", "xtrim", "hmget", "hscan", "unlink", "set", "get", "time", "info"}
    since = {name: await _since(operator, name) for name in sorted(sent)}
    assert {name: version for name, version in since.items() if version > OLDEST} == {}


async def test_a_million_waiting_buyers_take_less_than_300_bytes_each(
    town: Town, operator: Client, record_property: Callable[[str, object], None]
) -> None:
    town.rooms.set(a_room(max_active=0, line_max=2 * WAITING))
    process = town.start()
    await process.turn()
    before = (await operator.info("memory"))["used_memory"]

    for start in range(1, WAITING + 1, 2_000):
        await process.join(*range(start, start + 2_000))
        if start % 100_000 == 1:
            await process.turn()
    await process.turn()

    after = (await operator.info("memory"))["used_memory"]
    assert process.line.view(process.room.id).waiting == WAITING
    record_property("bytes_a_buyer", round((after - before) / WAITING))
    assert (after - before) / WAITING < BYTES_A_BUYER_MAX
    late = town.start()
    await late.line.refresh()
    assert late.line.view(late.room.id).waiting == WAITING
