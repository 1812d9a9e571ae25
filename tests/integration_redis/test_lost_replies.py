"""A reply that is lost, doubled or late: no second place, no second admission, no answer taken for another."""

import asyncio
from collections.abc import Iterator

import pytest

from scripts.services import Redis
from stagedoor.adapters.redis.client import Script
from stagedoor.adapters.redis.log_entries import Changed
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.model import EndCause, PlaceState
from stagedoor.waiting_room.ports import EndPlace, Join, Joined, PlaceEnded
from tests.builders.line import a_ref, a_room
from tests.contract.line_record import unfair
from tests.faults.redis_replies import Delayed, Duplicated, Lost, RedisProxy
from tests.integration_redis.lines import Process, Town, until

FAULTS = [Lost, Duplicated, lambda part: Delayed(part, ms=1_500)]
KEY = IdempotencyKey(value="k-1", fingerprint="body")
NAMES = ["lost", "doubled", "late"]


def sent(script: str) -> bytes:
    """What only commands with that script contain."""
    return Script(script).digest.encode()


@pytest.fixture
def proxy(redis_server: Redis) -> Iterator[RedisProxy]:
    with RedisProxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
async def process(town: Town, proxy: RedisProxy) -> Process:
    """A process behind the proxy that has been heard before, so that the scripts are loaded."""
    _, _, rest = town.url.partition("@")
    process = town.start(url=town.url.replace(rest, f"127.0.0.1:{proxy.port}/0"))
    await process.join(1)
    await process.turn()
    return process


async def again(process: Process, *buyers: int) -> list[int]:
    """Join as a buyer does: after a 503 she asks once more."""
    numbers: list[int] = []

    async def have_joined() -> bool:
        try:
            numbers[:] = await process.join(*buyers)
        except Fault:
            return False
        return True

    await until(have_joined)
    return numbers


async def turned(process: Process) -> None:
    """Take a turn as the worker does: after a fault there is the next one."""

    async def has_turned() -> bool:
        try:
            await process.turn()
        except Fault:
            return False
        return True

    await until(has_turned)


async def ends_of(town: Town, number: int) -> int:
    """Count how often the log ends the place."""
    return sum(ended == number for entry in await town.log() if isinstance(entry, Changed) for ended, *_ in entry.ended)


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
async def test_a_join_gives_one_place(town: Town, process: Process, proxy: RedisProxy, fault: type[Lost]) -> None:
    with proxy.toxic(spoilt := fault(sent("append"))):
        assert await again(process, 7, 8) == [2, 3]
        assert spoilt.happened

    assert await again(process, 9, 7) == [4, 2]
    other = town.start()
    assert await other.join(8, 9, 10) == [3, 4, 5]
    assert other.line.view(other.room.id).last_number == 5


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
@pytest.mark.parametrize("script", ["turn", "catch_up"])
async def test_a_turn_admits_once(
    town: Town, process: Process, proxy: RedisProxy, fault: type[Lost], script: str
) -> None:
    await process.join(7, 8, 9)

    async def is_admitted() -> bool:
        try:
            await process.turn()
        except Fault:
            return False
        return len(await town.passes()) >= 2

    with proxy.toxic(spoilt := fault(sent(script))):
        await until(is_admitted)
        assert spoilt.happened
    for _ in range(3):
        await process.turn()

    passes = await town.passes()
    assert [one.number for one in passes] == [1, 2]
    assert unfair(passes) == []


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
async def test_a_place_ends_once(town: Town, process: Process, proxy: RedisProxy, fault: type[Lost]) -> None:
    await process.join(7)

    async def is_used_up() -> bool:
        try:
            await process.line.use_up([a_ref(1)])
        except Fault:
            return False
        return True

    with proxy.toxic(spoilt := fault(sent("append"))):
        await until(is_used_up)
        assert spoilt.happened

    assert await process.state(1) is PlaceState.DONE
    other = town.start()
    assert await other.state(1) is PlaceState.DONE
    assert (await other.join(1, 7)) == [3, 2]


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
@pytest.mark.parametrize("script", ["append", "remember"])
async def test_a_join_with_a_key_gives_one_place(
    town: Town, process: Process, proxy: RedisProxy, fault: type[Lost], script: str
) -> None:
    join = Join(room=process.room, buyer_id=BuyerId(7), key=KEY)
    found: list[Joined | Rejection] = []

    async def has_joined() -> bool:
        try:
            found[:] = await process.line.join([join])
        except Fault:
            return False
        return True

    with proxy.toxic(spoilt := fault(sent(script))):
        await until(has_joined)
        assert spoilt.happened

    other = town.start()
    [first], [again] = found, await other.line.join([join])
    assert isinstance(first, Joined)
    assert isinstance(again, Joined)
    assert again.replayed
    assert again.place.ref == first.place.ref == a_ref(2)
    assert other.line.view(other.room.id).last_number == 2


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
async def test_a_place_is_left_once(town: Town, process: Process, proxy: RedisProxy, fault: type[Lost]) -> None:
    await process.join(7)
    leaving = EndPlace(ref=a_ref(2), cause=EndCause.LEFT, key=KEY)

    async def has_left() -> bool:
        try:
            [outcome] = await process.line.end([leaving])
        except Fault:
            return False
        return isinstance(outcome, PlaceEnded)

    with proxy.toxic(spoilt := fault(sent("decide"))):
        await until(has_left)
        assert spoilt.happened

    other = town.start()
    assert await process.state(2) is await other.state(2) is PlaceState.EXPIRED
    assert await ends_of(town, 2) == 1
    assert await other.join(7) == [3]


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
async def test_a_pass_that_runs_out_ends_once_and_lets_one_in(
    town: Town, process: Process, proxy: RedisProxy, fault: type[Lost]
) -> None:
    town.rooms.set(a_room(max_active=1, idle_timeout_ms=200))
    await process.look(1)
    await process.join(7, 8)
    await asyncio.sleep(0.3)

    async def is_let_in() -> bool:
        try:
            await process.turn()
        except Fault:
            return False
        return len(await town.passes()) >= 2

    with proxy.toxic(spoilt := fault(sent("turn"))):
        await until(is_let_in)
        assert spoilt.happened
    for _ in range(3):
        await turned(process)

    passes = await town.passes()
    assert [one.number for one in passes] == [1, 2]
    assert unfair(passes) == []
    assert await ends_of(town, 1) == 1


async def test_no_answer_is_taken_for_another_when_many_are_doubled(
    town: Town, process: Process, proxy: RedisProxy
) -> None:
    """Commands of all kinds, at once, while the answers to some come twice."""
    for script in ("append", "catch_up", "append", "catch_up"):
        with proxy.toxic(Duplicated(sent(script))):
            await asyncio.gather(*(again(process, buyer) for buyer in range(100, 110)))
            await process.line.settled(a_ref(1), entering=True)

    assert sorted(await again(process, *range(100, 110))) == list(range(2, 12))
    other = town.start()
    await other.line.refresh()
    assert other.line.view(other.room.id).last_number == 11
