"""A question that may go either way is answered by whichever way answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
from sqlalchemy import Connection

from stagedoor.adapters.sql.lanes import Lanes, Step, T, WriteTransaction, asked_either_way
from stagedoor.kernel.errors import Fault

Behaves = Callable[[], Awaitable[None]]
NOWHERE = cast("Connection", None)


async def answers() -> None:
    """Do nothing that keeps anybody."""


async def fails() -> None:
    raise Fault("out")


async def has_a_bug() -> None:
    raise LookupError("a bug of ours")


async def hangs() -> None:
    await asyncio.Event().wait()


class TwoWays(Lanes):
    """Lanes of which each behaves as it is told, and that note who has asked them and who was called off."""

    def __init__(self, *, reads: Behaves, writes: Behaves) -> None:
        self._reads = reads
        self._writes = writes
        self.asked: list[str] = []
        self.called_off: list[str] = []

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        yield cast("WriteTransaction", self)

    async def run(self, step: Step[T]) -> T:
        return await self._through("writes", self._writes, step)

    async def reading(self, step: Step[T]) -> T:
        return await self._through("reads", self._reads, step)

    async def _through(self, way: str, behaves: Behaves, step: Step[T]) -> T:
        self.asked.append(way)
        try:
            await behaves()
        except asyncio.CancelledError:
            self.called_off.append(way)
            raise
        return step(NOWHERE)


@pytest.mark.parametrize(
    ("reads", "writes", "asked", "called_off"),
    [
        (answers, hangs, ["reads"], []),
        (fails, answers, ["reads", "writes"], []),
        (hangs, answers, ["reads", "writes"], ["reads"]),
    ],
    ids=["reads answer", "reads fail", "reads hang"],
)
async def test_the_way_that_answers(reads: Behaves, writes: Behaves, asked: list[str], called_off: list[str]) -> None:
    lanes = TwoWays(reads=reads, writes=writes)

    assert await asked_either_way(lanes, lambda _: "so it is") == "so it is"
    await asyncio.sleep(0)

    assert (lanes.asked, lanes.called_off) == (asked, called_off)


async def test_a_reading_that_comes_after_all_is_as_good() -> None:
    asked_as_well = asyncio.Event()

    async def comes_late() -> None:
        await asked_as_well.wait()

    async def fails_then() -> None:
        asked_as_well.set()
        raise Fault("out")

    assert await asked_either_way(TwoWays(reads=comes_late, writes=fails_then), lambda _: "so it is") == "so it is"


async def test_where_neither_answers_it_is_the_fault_of_the_reading() -> None:
    with pytest.raises(Fault, match="out"):
        await asked_either_way(TwoWays(reads=fails, writes=fails), lambda _: None)


async def test_a_bug_is_one() -> None:
    lanes = TwoWays(reads=has_a_bug, writes=answers)

    with pytest.raises(LookupError):
        await asked_either_way(lanes, lambda _: None)

    assert lanes.asked == ["reads"]


async def test_who_is_called_off_calls_both_off() -> None:
    lanes = TwoWays(reads=hangs, writes=hangs)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await asked_either_way(lanes, lambda _: None)
    await asyncio.sleep(0)

    assert sorted(lanes.called_off) == ["reads", "writes"]
