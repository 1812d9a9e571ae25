"""The supervisor: ticks go on after a failure, and nothing ends unseen."""

import asyncio

import pytest
from structlog.testing import capture_logs

from stagedoor.workers.supervisor import Supervisor, Worker


class Ticks:
    """Counts ticks; fails those that are told to; stops the supervisor after *last*."""

    def __init__(self, *, last: int, failing: frozenset[int] = frozenset(), done: int = 0) -> None:
        self.supervisor = Supervisor()
        self.count = 0
        self.first = asyncio.Event()
        self._last = last
        self._failing = failing
        self._done = done

    async def __call__(self) -> int:
        self.count += 1
        self.first.set()
        if self.count == self._last:
            self.supervisor.stop()
        if self.count in self._failing:
            raise RuntimeError(f"tick {self.count}")
        return self._done


async def test_a_row_of_failures_is_logged_once_with_its_cause_and_its_end() -> None:
    ticks = Ticks(last=5, failing=frozenset({2, 3}))
    ticks.supervisor.add_worker(Worker(name="admit", tick=ticks, every_s=0.001))

    with capture_logs() as logs:
        await ticks.supervisor.run()

    assert ticks.count == 5
    assert [(entry["event"], entry.get("cause"), entry.get("failed_ticks")) for entry in logs] == [
        ("worker.failed", "tick 2", None),
        ("worker.recovered", None, 2),
    ]


async def test_the_pause_after_failures_grows_no_further_than_the_worker_may_take() -> None:
    ticks = Ticks(last=50, failing=frozenset(range(1, 50)))
    ticks.supervisor.add_worker(Worker(name="pulse", tick=ticks, every_s=3_600, failure_pause_s_max=0.0))

    async with asyncio.timeout(5):
        await ticks.supervisor.run()

    assert ticks.count == 50


async def test_an_eager_worker_does_not_pause_while_there_is_work() -> None:
    ticks = Ticks(last=100, done=1)
    ticks.supervisor.add_worker(Worker(name="relay", tick=ticks, every_s=3_600, eager=True))

    async with asyncio.timeout(5):
        await ticks.supervisor.run()

    assert ticks.count == 100


async def test_a_wake_ends_the_pause() -> None:
    ticks = Ticks(last=2)
    worker = Worker(name="relay", tick=ticks, every_s=3_600)
    ticks.supervisor.add_worker(worker)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(ticks.supervisor.run())
        await ticks.first.wait()
        worker.wake.set()

    assert ticks.count == 2


async def test_a_wake_is_kept_until_the_worker_has_rested() -> None:
    ticks = Ticks(last=9)
    worker = Worker(name="relay", tick=ticks, every_s=7_200, rest_s=3_600)
    ticks.supervisor.add_worker(worker)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(ticks.supervisor.run())
        await ticks.first.wait()
        worker.wake.set()
        for _ in range(20):
            await asyncio.sleep(0)
        ticks.supervisor.stop()

    assert ticks.count == 1


async def test_what_came_while_it_rested_is_taken_right_after() -> None:
    ticks = Ticks(last=2)
    worker = Worker(name="relay", tick=ticks, every_s=3_600, rest_s=0.001)
    ticks.supervisor.add_worker(worker)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(ticks.supervisor.run())
        await ticks.first.wait()
        worker.wake.set()

    assert ticks.count == 2


async def test_a_service_that_ends_while_it_is_needed_takes_the_process_down() -> None:
    supervisor = Supervisor()

    async def ends() -> None:
        return

    supervisor.add_service("batcher", ends)

    with pytest.raises(ExceptionGroup) as caught:
        await supervisor.run()

    assert "ended while it was needed" in str(caught.value.exceptions[0])
