"""Who waits is cut off at her instant, in order, again where she goes on, and not at all if she is done before."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from stagedoor.http.overdue import AGAIN_S, Overdue
from stagedoor.kernel.errors import DeadlineMissed
from stagedoor.resilience.deadline import Deadline
from tests.simulation.virtual_time import VirtualLoop

Wait = Callable[[str, float], Awaitable[None]]
FOR_EVER_S = 3_600.0


def told(story: Callable[[Overdue, Wait], Awaitable[object]]) -> list[tuple[float, str]]:
    """Return who was cut off and when, in seconds from the start, on a clock of its own."""
    loop = VirtualLoop(0.0)
    heard: list[tuple[float, str]] = []
    overdue = Overdue()

    async def wait(name: str, until: float) -> None:
        try:
            await overdue.in_time(asyncio.sleep(FOR_EVER_S), until, Deadline(until).missed)
        except DeadlineMissed:
            heard.append((round(loop.time(), 3), name))

    async def run() -> None:
        await story(overdue, wait)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run())
    return heard


def test_each_is_cut_off_at_her_own_instant_whoever_came_first() -> None:
    def story(_: Overdue, wait: Wait) -> Awaitable[object]:
        return asyncio.gather(*(wait(name, until) for name, until in (("b", 2), ("c", 3), ("a", 1), ("b too", 2))))

    assert told(story) == [(1.0, "a"), (2.0, "b"), (2.0, "b too"), (3.0, "c")]


def test_whoever_is_done_is_not_cut_off() -> None:
    async def story(overdue: Overdue, wait: Wait) -> None:
        await overdue.in_time(asyncio.sleep(0.5), 1.0, Deadline(1.0).missed)
        await asyncio.sleep(1.0)
        await wait("later", 2.0)

    assert told(story) == [(2.0, "later")]


@pytest.mark.parametrize(("moved_to", "ends_at"), [(None, 5.0), (4.0, 4.0), (1.0, 1.0)])
def test_whoever_is_moved_is_cut_off_then(moved_to: float | None, ends_at: float) -> None:
    async def story(overdue: Overdue, _: Wait) -> None:
        caller = overdue.watch(2.0)
        overdue.move(caller, moved_to)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(5.0)
        overdue.let_go(caller)
        assert asyncio.get_running_loop().time() == pytest.approx(ends_at)
        assert caller.task.cancelling() == 0
        await asyncio.sleep(1.0)

    assert told(story) == []


def test_whoever_goes_on_all_the_same_is_cut_off_again() -> None:
    ends: list[float] = []

    async def goes_on() -> None:
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(FOR_EVER_S)
            ends.append(asyncio.get_running_loop().time())

    async def story(overdue: Overdue, _: Wait) -> None:
        await overdue.in_time(goes_on(), 1.0, Deadline(1.0).missed)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(1.0)

    assert told(story) == []
    assert ends == pytest.approx([1.0, 1.0 + AGAIN_S, 1.0 + 2 * AGAIN_S])


def test_whoever_comes_next_is_not_late_for_those_who_may_be_cut_off_again() -> None:
    instants = [1.0 + nth * AGAIN_S / 5 for nth in range(12)]

    def story(_: Overdue, wait: Wait) -> Awaitable[object]:
        return asyncio.gather(*(wait("she", until) for until in instants))

    assert [at for at, _ in told(story)] == pytest.approx(instants)


def test_on_the_loop_that_serves_an_instant_that_has_come_is_one_like_any_other() -> None:
    heard: list[str] = []

    async def wait(overdue: Overdue, name: str, until: float) -> None:
        with contextlib.suppress(DeadlineMissed):
            await overdue.in_time(asyncio.sleep(FOR_EVER_S), until, Deadline(until).missed)
        heard.append(name)

    async def run() -> None:
        overdue, now = Overdue(), asyncio.get_running_loop().time()
        instants = (("now", now), ("before", now - 1.0), ("later", now + 0.001))
        await asyncio.gather(*(wait(overdue, name, until) for name, until in instants))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())

    assert heard == ["before", "now", "later"]


def test_on_the_loop_that_serves_nobody_is_cut_off_before_her_instant() -> None:
    # Its timers ring by whole milliseconds: of one at a tenth of a second every third rings before the tenth is over.
    early: list[float] = []

    async def wait(overdue: Overdue) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.1
        with contextlib.suppress(DeadlineMissed):
            await overdue.in_time(asyncio.sleep(FOR_EVER_S), until, Deadline(until).missed)
        early.extend([until] if loop.time() < until else [])

    async def run() -> None:
        waiting = []
        for _ in range(50):
            waiting.append(asyncio.ensure_future(wait(Overdue())))
            await asyncio.sleep(0.001)
        await asyncio.gather(*waiting)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())

    assert not early


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
