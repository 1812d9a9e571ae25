"""Others go on with the line on another Redis, while the old one still answers: who stays there decides no more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from scripts.services import Redis
from stagedoor.adapters.redis import log_entries
from stagedoor.adapters.sql import line_record
from stagedoor.adapters.sql.tables import line_reserve
from stagedoor.kernel.clock import MINUTE_MS
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.line_record import Superseded
from stagedoor.waiting_room.model import PlaceState, PlaceView
from stagedoor.waiting_room.ports import Join, Joined, TurnReport
from tests.builders.line import a_ref, a_room
from tests.contract.line_record import twice_inside
from tests.contract.line_stage import PassRecord
from tests.engines.fixtures import held
from tests.faults.proxy import Proxy
from tests.integration_redis.lines import (
    WAIT_S_MAX,
    Process,
    Sleeping,
    Stopped,
    Town,
    a_town,
    passes_in,
    refreshed,
    until,
)

TOLD_MS = 1_500

LONG_ENOUGH_S = 0.3
"""For an answer that should not come yet; a machine on which that is too short sees nothing wrong."""

KEYS = pytest.mark.parametrize("key", [None, IdempotencyKey(value="k", fingerprint="body")], ids=["no key", "a key"])


@pytest.fixture(scope="module")
def other_redis() -> Iterator[Redis]:
    """Where the line goes on."""
    yield from held(Redis())


@pytest.fixture
async def town(
    redis_url: str, other_redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Town]:
    other_redis.empty()
    monkeypatch.setattr("stagedoor.adapters.redis.room_line.longest_told_ms", lambda **_: TOLD_MS)
    # On the server that was left nobody else takes the lead, however long the others take to go on.
    for name in ("LEASE_MS", "TURN_MS_MAX"):
        monkeypatch.setattr(f"stagedoor.adapters.redis.line_store.{name}", MINUTE_MS)
    async with a_town(redis_url, tmp_path, a_room(max_active=2)) as town:
        yield town


@pytest.fixture
def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record takes what it is given, from whichever epoch."""
    monkeypatch.setattr(line_record, "_refuse_unless", lambda *_: None)


async def a_leader(town: Town) -> tuple[Process, list[PlaceView]]:
    """Let six join, two in, and these two buy; return who leads, and the places."""
    leader = town.start()
    await leader.join(*range(11, 17))
    await leader.turn()
    places = [await leader.look(number) for number in range(1, 7)]
    await leader.line.use_up([a_ref(1), a_ref(2)])
    await leader.line.refresh()
    return leader, places


async def gone_on(town: Town, other_redis: Redis) -> Process:
    """Have another process go on with the line on the other Redis."""
    other = town.start(url=other_redis.url)
    await refreshed(other)
    return other


async def passes_of(process: Process) -> Sequence[PassRecord]:
    """Return the passes in the log that the process reads."""
    found = await process.ask("XRANGE", "stagedoor:{main}:log", "-", "+")
    return passes_in([log_entries.decode(fields[b"e"]) for _, fields in found])


async def marks(town: Town) -> tuple[int, str]:
    row = await town.file.reading(lambda c: c.execute(select(line_reserve.c.epoch, line_reserve.c.server)).one())
    return row.epoch, row.server


async def test_who_is_left_behind_lets_nobody_in_and_says_so(town: Town, other_redis: Redis) -> None:
    leader, places = await a_leader(town)
    other = await gone_on(town, other_redis)

    with pytest.raises(Superseded):
        await leader.turn()

    assert [one.number for one in await passes_of(leader)] == [1, 2]
    assert leader.line.is_stale()
    with pytest.raises(Fault):
        await leader.join(17)
    assert (await leader.look(3)).state is PlaceState.WAITING
    for _ in range(3):
        with pytest.raises(Superseded):
            await leader.line.refresh()
    assert await marks(town) == (2, await other.client.serving())

    for place in places:
        await other.come_back(place)
    await until(lambda: _lets_in(other, 2))
    assert [one.number for one in await passes_of(other)] == [3, 4]
    assert not other.line.is_stale()


@pytest.mark.usefixtures("unguarded")
async def test_control_a_record_that_refuses_nobody_lets_two_in_twice(town: Town, other_redis: Redis) -> None:
    leader, places = await a_leader(town)
    other = await gone_on(town, other_redis)

    await leader.turn()
    for place in places:
        await other.come_back(place)
    await until(lambda: _lets_in(other, 2))

    assert len(twice_inside([*await passes_of(leader), *await passes_of(other)])) == 2


async def test_a_follower_knows_without_having_anything_to_decide(town: Town, other_redis: Redis) -> None:
    leader, _ = await a_leader(town)
    follower = town.start()
    await follower.line.refresh()
    await gone_on(town, other_redis)

    async def knows() -> bool:
        try:
            await follower.line.refresh()
        except Superseded:
            return True
        return False

    await until(knows)

    with pytest.raises(Fault):
        await follower.join(17)
    assert not leader.line.is_stale()


async def overtaken(town: Town, other_redis: Redis) -> tuple[Process, "asyncio.Task[PlaceView]"]:
    """
    Others go on after the leader has looked whether they have, and before its turn arrives.

    The next in line, whom that turn lets in, asks meanwhile; return what she is told.
    """
    leader, _ = await a_leader(town)
    sleeper = Sleeping(leader)
    turn = asyncio.create_task(leader.turn())
    await sleeper.reached.wait()
    await gone_on(town, other_redis)
    told = asyncio.create_task(leader.look(3))
    sleeper.wake()
    await asyncio.wait([turn, told])
    assert [one.number for one in await passes_of(leader)] == [1, 2, 3, 4]
    return leader, told


async def test_who_was_let_in_without_a_record_is_not_told(town: Town, other_redis: Redis) -> None:
    leader, told = await overtaken(town, other_redis)

    assert isinstance(told.exception(), Fault)
    with pytest.raises(Fault):
        await leader.look(3)
    with pytest.raises(Fault):
        await leader.line.look(a_ref(4))


@pytest.mark.usefixtures("unguarded")
async def test_control_a_record_that_refuses_nobody_lets_her_be_told(town: Town, other_redis: Redis) -> None:
    _, told = await overtaken(town, other_redis)

    assert told.result().state is PlaceState.ADMITTED


@contextlib.asynccontextmanager
async def let_in_unrecorded(
    leader: Process, key: IdempotencyKey | None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple["asyncio.Task[TurnReport]", "asyncio.Task[Joined]"]]:
    """
    Take a turn whose record is held up until the end; the next in line, whom it lets in, joins once more.

    Return the turn, and what she is told; both are over afterwards.
    """

    async def join() -> Joined:
        [answer] = await leader.line.join([Join(room=leader.room, buyer_id=BuyerId(13), key=key)])
        assert isinstance(answer, Joined)
        return answer

    writes = Stopped(leader, monkeypatch, "write")
    turn = asyncio.create_task(leader.turn())
    await writes.reached.wait()
    told = asyncio.create_task(join())
    await asyncio.wait([told], timeout=LONG_ENOUGH_S)
    try:
        assert not told.done()
        yield turn, told
    finally:
        writes.go_on.set()
        await asyncio.wait([turn, told])


@KEYS
async def test_who_joins_once_more_hears_that_she_is_in_once_it_is_on_record(
    town: Town, key: IdempotencyKey | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, _ = await a_leader(town)

    async with let_in_unrecorded(leader, key, monkeypatch) as (turn, told), asyncio.timeout(WAIT_S_MAX):
        # Whoever is not concerned waits for nobody's record.
        assert await leader.join(18) == [7]

    assert (await turn).admitted == 2
    assert (await told).place.state is PlaceState.ADMITTED


@KEYS
async def test_who_joins_once_more_is_not_told_of_a_turn_without_a_record(
    town: Town, other_redis: Redis, key: IdempotencyKey | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, _ = await a_leader(town)

    async with let_in_unrecorded(leader, key, monkeypatch) as (turn, told):
        await gone_on(town, other_redis)

    with pytest.raises(Superseded):
        await turn
    with pytest.raises(Fault):
        await told
    assert await leader.ask("HLEN", "stagedoor:{main}:keys") == 0


@KEYS
@pytest.mark.usefixtures("unguarded")
async def test_control_a_record_that_refuses_nobody_lets_her_be_told_when_she_joins(
    town: Town, other_redis: Redis, key: IdempotencyKey | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, _ = await a_leader(town)

    async with let_in_unrecorded(leader, key, monkeypatch) as (turn, told):
        await gone_on(town, other_redis)

    await turn
    assert (await told).place.state is PlaceState.ADMITTED


async def test_once_its_address_leads_there_too_it_goes_on_with_the_others(
    town: Town, redis_server: Redis, other_redis: Redis
) -> None:
    with Proxy(redis_server.port) as proxy:
        _, _, rest = town.url.partition("@")
        # Both servers let the same people in, as those behind one address do.
        for server in (redis_server, other_redis):
            assert server.ask("ACL SETUSER mover on >moves ~* &* +@all") == "+OK"
        process = town.start(url=f"redis://mover:moves@{rest.replace(str(redis_server.port), str(proxy.port))}")
        await process.join(1, 2, 3)
        await process.turn()
        await process.line.refresh()
        proxy.upstream_port = other_redis.port
        other = await gone_on(town, other_redis)
        [new] = await other.join(9)

        # Its connections lead to the old one still.
        await until(lambda: _is_where(process, other))
        assert await process.join(9) == [new]
        assert await process.join(10) == await other.join(10)
        assert (await marks(town))[0] == 2
        await process.line.idle()
        await process.client.close()


async def _lets_in(process: Process, count: int) -> bool:
    return (await process.turn()).admitted == count


async def _is_where(process: Process, other: Process) -> bool:
    with contextlib.suppress(Superseded):
        await process.line.refresh()
    return process.client.server == other.client.server
