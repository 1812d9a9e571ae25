"""Who waits is told at her instant, in order, once, and not at all if she is done before."""

import asyncio
import time
from collections.abc import Callable

import pytest
import uvloop

from stagedoor.http.overdue import Overdue
from stagedoor.kernel.errors import DeadlineMissed
from stagedoor.resilience.deadline import Deadline
from tests.simulation.virtual_time import VirtualLoop


def told(story: Callable[[Overdue, Callable[[str], Callable[[], None]]], None]) -> list[tuple[float, str]]:
    """Return who was told what and when, in seconds from the start, on a clock of its own."""
    loop = VirtualLoop(0.0)
    heard: list[tuple[float, str]] = []

    def tell(name: str) -> Callable[[], None]:
        return lambda: heard.append((round(loop.time(), 3), name))

    async def run() -> None:
        story(Overdue(), tell)
        await asyncio.sleep(100.0)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run())
    return heard


def test_each_is_told_at_her_own_instant_whoever_came_first() -> None:
    def story(overdue: Overdue, tell: Callable[[str], Callable[[], None]]) -> None:
        for name, until in (("b", 2.0), ("c", 3.0), ("a", 1.0), ("b too", 2.0)):
            overdue.watch(until, tell(name))

    assert told(story) == [(1.0, "a"), (2.0, "b"), (2.0, "b too"), (3.0, "c")]


def test_whoever_is_done_is_told_nothing() -> None:
    def story(overdue: Overdue, tell: Callable[[str], Callable[[], None]]) -> None:
        first, second = overdue.watch(1.0, tell("a")), overdue.watch(2.0, tell("b"))
        overdue.watch(3.0, tell("c"))
        first.is_over = second.is_over = True
        overdue.watch(4.0, tell("d"))

    assert told(story) == [(3.0, "c"), (4.0, "d")]


def test_whoever_is_told_may_wait_again() -> None:
    def story(overdue: Overdue, tell: Callable[[str], Callable[[], None]]) -> None:
        overdue.watch(1.0, lambda: overdue.watch(5.0, tell("again")))
        overdue.watch(9.0, tell("later"))

    assert told(story) == [(5.0, "again"), (9.0, "later")]


def test_on_the_loop_that_serves_an_instant_that_has_come_is_one_like_any_other() -> None:
    heard: list[str] = []

    async def run() -> None:
        overdue, now = Overdue(), asyncio.get_running_loop().time()
        for name, until in (("now", now), ("before", now - 1.0), ("later", now + 0.001)):
            overdue.watch(until, lambda name=name: heard.append(name))  # type: ignore[misc]  # a default, not an argument
        await asyncio.sleep(0.05)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())

    assert heard == ["before", "now", "later"]


async def test_whoever_is_cut_off_by_another_in_the_same_round_has_missed_it_and_keeps_the_others_cut() -> None:
    loop = asyncio.get_running_loop()

    async def wait() -> None:
        with pytest.raises(DeadlineMissed):
            await Overdue().in_time(asyncio.sleep(60.0), loop.time() + 0.001, Deadline(0.0).missed)

    waiting = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    loop.call_at(loop.time() + 0.002, waiting.cancel)
    time.sleep(0.01)  # noqa: ASYNC251 -- both come in one round

    await waiting
    assert waiting.cancelling() == 1
