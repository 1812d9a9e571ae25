"""Pauses end in time, and those that would end soon after another one end with it."""

import asyncio

import uvloop

from stagedoor.workers.pauses import EARLY_PART, EARLY_S_MAX, Pauses
from tests.simulation.virtual_time import VirtualLoop


async def _ended_at(pauses: Pauses, seconds: float) -> float:
    await pauses.pause(asyncio.Event(), seconds)
    return asyncio.get_running_loop().time()


def ends(*seconds: float) -> list[float]:
    """Return when pauses end that begin together at 0, each so many *seconds* long."""

    async def all_of_them() -> list[float]:
        pauses = Pauses()
        return list(await asyncio.gather(*(_ended_at(pauses, each) for each in seconds)))

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(0.0)) as runner:
        return runner.run(all_of_them())


def test_one_alone_takes_as_long_as_it_was_asked_for() -> None:
    assert ends(0.25) == [0.25]


def test_those_that_would_end_soon_end_with_the_first() -> None:
    assert ends(0.2, 0.24, 0.3) == [0.2, 0.2, 0.3]
    assert ends(0.01, 0.01 / (1 - EARLY_PART) - 0.0001, 0.02) == [0.01, 0.01, 0.02]


def test_of_a_long_one_no_more_is_left_out_than_of_a_short_one() -> None:
    assert ends(10.0, 10.0 + EARLY_S_MAX + 0.01) == [10.0, 10.0 + EARLY_S_MAX + 0.01]


def test_none_takes_longer_whatever_begins_and_ends_meanwhile() -> None:
    lengths = [0.05 + 0.037 * nth for nth in range(40)]

    for asked, ended in zip(lengths, ends(*lengths), strict=True):
        assert asked - EARLY_S_MAX <= ended <= asked


def test_whoever_wakes_her_ends_her_pause_and_no_other() -> None:
    async def woken() -> tuple[float, float]:
        pauses, wake = Pauses(), asyncio.Event()
        asyncio.get_running_loop().call_later(0.1, wake.set)
        other = asyncio.create_task(_ended_at(pauses, 2.0))
        await pauses.pause(wake, 2.0)
        return asyncio.get_running_loop().time(), await other

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(0.0)) as runner:
        assert runner.run(woken()) == (0.1, 2.0)


def test_pauses_that_are_over_as_they_begin_end_on_the_loop_that_serves() -> None:
    async def begun_together() -> None:
        pauses = Pauses()
        long = asyncio.create_task(pauses.pause(asyncio.Event(), 3_600.0))
        async with asyncio.timeout(60):
            await asyncio.gather(*(pauses.pause(asyncio.Event(), each) for each in (0.0, 0.0, 0.001, 0.0)))
        long.cancel()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(begun_together())


def test_one_that_was_given_up_wakes_nobody() -> None:
    async def given_up() -> bool:
        pauses, wake = Pauses(), asyncio.Event()
        task = asyncio.create_task(pauses.pause(wake, 0.1))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(1)
        return wake.is_set()

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(0.0)) as runner:
        assert runner.run(given_up()) is False
