"""A rush of joins with keys at four processes: each key has one effect and one answer, and nobody is put off."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from stagedoor.adapters.redis import client as client_module
from stagedoor.adapters.redis.client import Reply
from stagedoor.kernel.idempotency import KEYS_PER_BUYER_MAX, IdempotencyKey, KeyReused, TooManyKeys
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.model import EndCause, PlaceState
from stagedoor.waiting_room.ports import EndPlace, Join, Joined, PlaceEnded
from tests.builders.line import a_ref, a_room
from tests.integration_redis.lines import Process, Town, a_town

CROWD = 100
PROCESSES = 4
RUSHING = 4


@pytest.fixture
async def town(redis_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(redis_url, tmp_path, a_room(max_active=0)) as town:
        for _ in range(PROCESSES):
            await town.start().line.refresh()
        yield town


def key(value: str, *, body: str = "body") -> IdempotencyKey:
    return IdempotencyKey(value=value, fingerprint=body)


async def ask(process: Process, buyer: int, with_key: IdempotencyKey | None) -> object:
    """Join; return the answer, or what was raised."""
    try:
        [answer] = await process.line.join([Join(room=process.room, buyer_id=BuyerId(buyer), key=with_key)])
    except Exception as failure:  # noqa: BLE001 -- whatever keeps a buyer from her place is an answer here
        return failure
    return answer


def told(answer: object) -> tuple[int, PlaceState, int]:
    assert isinstance(answer, Joined | PlaceEnded), answer
    return answer.place.ref.number, answer.place.state, answer.place.position


async def test_in_a_storm_of_keys_nobody_is_put_off_and_each_is_answered_the_same_everywhere(town: Town) -> None:
    """Every buyer sends her key to two processes at once, while others join without one; later to a third."""
    turns = random.Random(3)
    # So few with keys at a time that most of what happens meanwhile is somebody else's.
    few = asyncio.Semaphore(2)
    over = asyncio.Event()
    unkeyed = iter(range(10_001, 99_999))

    async def rush(process: Process) -> list[object]:
        answers: list[object] = []
        while not over.is_set():
            answers.append(await ask(process, next(unkeyed), None))
        return answers

    async def join(buyer: int) -> list[object]:
        servers = turns.sample(town.processes, PROCESSES)
        async with few:
            first = await asyncio.gather(*(ask(server, buyer, key("k")) for server in servers[:2]))
            return [*first, await ask(servers[2], buyer, key("k"))]

    rushes = [asyncio.create_task(rush(process)) for process in town.processes for _ in range(RUSHING)]
    answers = await asyncio.gather(*(join(buyer) for buyer in range(1, CROWD + 1)))
    over.set()
    others = [answer for of_one in await asyncio.gather(*rushes) for answer in of_one]
    again = [await ask(town.processes[buyer % PROCESSES], buyer, key("k")) for buyer in range(1, CROWD + 1)]

    assert [answer for answer in others if not isinstance(answer, Joined)] == []
    assert {len({told(answer) for answer in (*one, last)}) for one, last in zip(answers, again, strict=True)} == {1}
    assert {sum(isinstance(a, Joined) and not a.replayed for a in one) for one in answers} == {1}
    numbers = [told(answer)[0] for answer in (*again, *others)]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


async def test_leaving_in_a_rush_of_joins_is_not_put_off(town: Town) -> None:
    leaver, *others = town.processes
    await leaver.join(*range(1, 101))
    over = asyncio.Event()
    newcomers = iter(range(10_001, 99_999))

    async def rush(process: Process) -> None:
        while not over.is_set():
            await process.join(next(newcomers))

    rushes = [asyncio.create_task(rush(process)) for process in others]
    ends = [
        await leaver.line.end([EndPlace(ref=a_ref(number), cause=EndCause.LEFT, key=key("out"))])
        for number in range(1, 101)
    ]
    over.set()
    await asyncio.gather(*rushes)

    assert [end for [end] in ends if not hasattr(end, "place")] == []
    assert {await leaver.state(number) for number in range(1, 101)} == {PlaceState.EXPIRED}


async def test_a_leaving_that_came_between_is_told_as_it_was(town: Town) -> None:
    """The other process has read the line, and not yet the keys, when the first one ends the place."""
    one, other, *_ = town.processes
    await one.join(7)
    leaving = EndPlace(ref=a_ref(1), cause=EndCause.LEFT, key=key("out"))
    first: list[object] = []
    command = other.client.command

    async def interrupted(*words: bytes | str | int, server: str) -> Reply:
        if words[0] == "HMGET" and not first:
            first.extend(await one.line.end([leaving]))
        return await command(*words, server=server)

    other.client.command = interrupted  # type: ignore[method-assign]
    [again] = await other.line.end([leaving])

    assert [told(answer) for answer in (*first, again)] == [(1, PlaceState.EXPIRED, 0)] * 2
    assert (await other.look(1)).state == PlaceState.EXPIRED


async def test_a_key_is_answered_with_its_place_also_when_that_is_over(town: Town) -> None:
    one, other, *_ = town.processes
    first = await ask(one, 7, key("k"))
    await one.line.end([EndPlace(ref=a_ref(1), cause=EndCause.LEFT)])

    again = await ask(other, 7, key("k"))

    assert told(again) == told(first) == (1, PlaceState.WAITING, 1)
    assert told(await ask(other, 7, key("another")))[0] == 2


async def test_one_key_with_two_bodies_at_once_is_one_answer_and_one_refusal(town: Town) -> None:
    one, other, *_ = town.processes

    answers = await asyncio.gather(ask(one, 7, key("k")), ask(other, 7, key("k", body="another")))

    assert sorted(type(answer).__name__ for answer in answers) == ["Joined", "KeyReused"]
    assert {type(await ask(each, 7, key("k"))) for each in town.processes} <= {Joined, KeyReused}
    assert one.line.view(one.room.id).last_number == 1


async def test_many_keys_of_one_buyer_at_once_are_all_kept_and_no_more_than_she_may_have(town: Town) -> None:
    keys = [key(f"k{i}") for i in range(KEYS_PER_BUYER_MAX)]

    answers = await asyncio.gather(*(ask(town.processes[i % PROCESSES], 7, each) for i, each in enumerate(keys)))
    again = [await ask(town.processes[(i + 1) % PROCESSES], 7, each) for i, each in enumerate(keys)]

    assert {told(answer)[0] for answer in answers} == {1}
    assert [told(answer) for answer in again] == [told(answer) for answer in answers]
    assert all(isinstance(answer, Joined) and answer.replayed for answer in again)
    assert {type(await ask(each, 7, key("one more"))) for each in town.processes} == {TooManyKeys}


async def test_control_where_the_store_does_not_look_keys_are_lost(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Careless(client_module.Script):
        def __init__(self, name: str) -> None:
            super().__init__(name)
            careful = self.text
            self.text = careful.replace("stored == ARGV[i + 1]", "true")
            assert (self.text != careful) == (name == "remember")
            self.digest = client_module.digest_of(self.text)

    monkeypatch.setattr(client_module, "Script", Careless)
    async with a_town(redis_url, tmp_path, a_room(max_active=0)) as town:
        for _ in range(PROCESSES):
            await town.start().line.refresh()
        keys = [key(f"k{i}") for i in range(KEYS_PER_BUYER_MAX)]
        await asyncio.gather(*(ask(town.processes[i % PROCESSES], 7, each) for i, each in enumerate(keys)))

        again = [await ask(town.processes[0], 7, each) for each in keys]

    assert not all(isinstance(answer, Joined) and answer.replayed for answer in again)


async def test_a_crash_between_a_join_and_its_key_gives_no_second_place(town: Town) -> None:
    one, other, *_ = town.processes
    run = one.client.run

    async def dies(script: str, keys: Sequence[bytes], arguments: Sequence[bytes | str | int], *, server: str) -> Reply:
        if script == "remember":
            raise ConnectionError("the process is gone")
        return await run(script, keys, arguments, server=server)

    one.client.run = dies  # type: ignore[method-assign]
    assert isinstance(await ask(one, 7, key("k")), ConnectionError)

    again = await ask(other, 7, key("k"))

    assert isinstance(again, Joined)
    assert (told(again)[0], again.replayed) == (1, False)
    assert other.line.view(other.room.id).last_number == 1
