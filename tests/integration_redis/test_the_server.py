"""What is asked of the server: commands that 6.2 has, no other rights than are documented, and not much memory."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis as Client

from scripts.services import Redis
from scripts.services.server import HOST
from stagedoor.adapters.redis.client import StoreLost
from stagedoor.kernel.clock import DAY_MS, Instant
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.ports import Join
from tests.builders.line import a_room
from tests.engines.fixtures import held
from tests.integration_redis.lines import Town, a_town

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "line-on-redis.md"
OLDEST = (6, 2, 0)
WAITING = 1_000_000
BYTES_A_BUYER_MAX = 300


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


async def an_evening(town: Town, operator: Client, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Do with the line whatever can be done with it; return the commands that the server has met by that."""
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
    for days in (-1, 1):
        # Nothing is as old as a day, and then everything.
        now = Instant(one.line._clock.now() + days * DAY_MS)  # noqa: SLF001 -- as the line sees it
        await one.line.forget(ended_before=now, keys_before=now, limit=10)
    await one.line.hand_over()

    found = await operator.info("commandstats")
    return {name.removeprefix("cmdstat_").partition("|")[0] for name in found} - {"config"}


async def test_every_command_that_is_sent_is_as_old_as_6_2(
    town: Town, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = await an_evening(town, operator, monkeypatch)

    assert sent >= {"evalsha", "xadd", "xrange", "xtrim", "hmget", "hscan", "unlink", "set", "get", "time", "info"}
    since = {name: await _since(operator, name) for name in sorted(sent)}
    assert {name: version for name, version in since.items() if version > OLDEST} == {}


@pytest.fixture(scope="module")
def closed_redis() -> Iterator[Redis]:
    """A Redis that talks to nobody who does not encrypt."""
    yield from held(Redis(tls=True))


async def test_with_tls_a_user_with_the_documented_rights_can_do_all_of_it_and_nothing_else(
    closed_redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [line] = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("ACL SETUSER ")]
    assert closed_redis.ask(line) == "+OK"
    trust = f"?ssl_ca_certs={closed_redis.authority}"
    url = f"rediss://stagedoor:a-long-password@{HOST}:{closed_redis.port}/0{trust}"

    async with (
        Client.from_url(closed_redis.url + trust, protocol=2) as operator,
        a_town(url, tmp_path, a_room(max_active=2)) as town,
    ):
        sent = await an_evening(town, operator, monkeypatch)
        with pytest.raises(StoreLost, match="NoPermission"):
            await town.processes[0].ask("GET", "another's")
        with pytest.raises(StoreLost, match="NoPermission"):
            await town.processes[0].ask("FLUSHDB")

    rights = {word.removeprefix("+") for word in line.split() if word.startswith("+")}
    assert rights == sent - {"auth"}


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
