"""The batcher: order, sharing, and what a poisoned or abandoned command may harm."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from stagedoor.adapters.batching import GATHERING_ROUNDS, Batcher
from stagedoor.kernel.errors import Fault, Overloaded


class Doubling:
    """Doubles numbers a batch at a time, behind a gate that the test opens."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.raises: Callable[[Sequence[int]], Exception | None] = lambda _: None

    async def __call__(self, numbers: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(numbers))
        await self.gate.wait()
        if error := self.raises(numbers):
            raise error
        return [2 * number for number in numbers]


@asynccontextmanager
async def running(
    handler: Doubling, *, batch_max: int = 10, waiting_max: int = 100
) -> AsyncIterator[Batcher[int, int]]:
    batcher = Batcher(handler, batch_max=batch_max, waiting_max=waiting_max)
    async with asyncio.TaskGroup() as group:
        group.create_task(batcher.run())
        try:
            yield batcher
        finally:
            handler.gate.set()
            batcher.close()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_arrives_during_a_batch_becomes_the_next_one() -> None:
    handler = Doubling()
    async with running(handler) as batcher:
        asked = [asyncio.ensure_future(batcher(number)) for number in (1, 2, 3)]
        await turns()
        asked += [asyncio.ensure_future(batcher(number)) for number in (4, 5)]
        await turns()
        handler.gate.set()

        assert await asyncio.gather(*asked) == [2, 4, 6, 8, 10]

    assert handler.batches == [[1, 2, 3], [4, 5]]


async def test_a_batch_is_bounded() -> None:
    handler = Doubling()
    handler.gate.set()
    async with running(handler, batch_max=2) as batcher:
        await asyncio.gather(*(batcher(number) for number in range(5)))

    assert handler.batches == [[0, 1], [2, 3], [4]]


async def test_a_full_line_refuses_and_takes_again_later() -> None:
    handler = Doubling()
    async with running(handler, batch_max=1, waiting_max=2) as batcher:
        asked = [asyncio.ensure_future(batcher(1))]
        await turns()
        asked += [asyncio.ensure_future(batcher(number)) for number in (2, 3)]
        await turns()
        with pytest.raises(Overloaded):
            await batcher(4)
        handler.gate.set()
        await asyncio.gather(*asked)

        assert await batcher(5) == 10


async def test_a_poisoned_command_harms_only_itself() -> None:
    handler = Doubling()
    handler.gate.set()
    handler.raises = lambda numbers: ValueError("thirteen") if 13 in numbers else None
    async with running(handler) as batcher:
        answers = await asyncio.gather(*(batcher(number) for number in (1, 13, 2)), return_exceptions=True)

    assert answers[0] == 2
    assert isinstance(answers[1], ValueError)
    assert answers[2] == 4


async def test_a_fault_is_told_to_all_and_the_batch_is_not_tried_again() -> None:
    handler = Doubling()
    handler.gate.set()
    handler.raises = lambda _: Fault("the disk is gone")
    async with running(handler) as batcher:
        answers = await asyncio.gather(*(batcher(number) for number in (1, 2, 3)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [Fault, Fault, Fault]
    assert handler.batches == [[1, 2, 3]]


async def test_a_caller_that_gives_up_loses_only_the_answer() -> None:
    handler = Doubling()
    async with running(handler) as batcher:
        first, second = asyncio.ensure_future(batcher(1)), asyncio.ensure_future(batcher(2))
        await turns()
        first.cancel()
        handler.gate.set()

        assert await second == 4

    assert first.cancelled()
    assert handler.batches == [[1, 2]]


async def test_closing_answers_what_waits_and_takes_no_more() -> None:
    handler = Doubling()
    async with running(handler) as batcher:
        asked = asyncio.ensure_future(batcher(1))
        await turns()
        batcher.close()
        with pytest.raises(Overloaded):
            await batcher(2)
        handler.gate.set()

        assert await asked == 2


async def ask_later(batcher: Batcher[int, int], number: int, *, after_turns: int) -> int:
    await turns(after_turns)
    return await batcher(number)


async def test_what_is_on_its_way_is_taken_along() -> None:
    handler = Doubling()
    handler.gate.set()
    async with running(handler) as batcher:
        await asyncio.gather(*(ask_later(batcher, number, after_turns=2 * number) for number in range(5)))

    assert handler.batches == [[0, 1, 2, 3, 4]]


async def test_nobody_waits_for_what_is_not_on_its_way() -> None:
    handler = Doubling()
    handler.gate.set()
    async with running(handler) as batcher:
        await asyncio.gather(ask_later(batcher, 1, after_turns=0), ask_later(batcher, 2, after_turns=20))

    assert handler.batches == [[1], [2]]


async def test_what_keeps_coming_holds_nobody_up() -> None:
    handler = Doubling()
    handler.gate.set()
    coming = 3 * GATHERING_ROUNDS
    async with running(handler, batch_max=1_000, waiting_max=1_000) as batcher:
        await asyncio.gather(*(ask_later(batcher, number, after_turns=number) for number in range(coming)))

    assert GATHERING_ROUNDS <= len(handler.batches[0]) < 2 * GATHERING_ROUNDS
    assert [number for batch in handler.batches for number in batch] == list(range(coming))
