"""One owner for every task: nothing runs that nobody watches, and a failed tick is logged once and tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from stagedoor.workers.pauses import Pauses

log = structlog.get_logger(__name__)

FAILURE_PAUSE_S_MAX = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """
    A tick to be repeated.

    *tick* returns how much it did. *every_s* is the longest pause between two
    ticks; *wake*, when set, ends the pause early, but not within *rest_s* of a
    tick's end, so that what comes fast is taken together. A tick that did
    something is followed by the next at once where *eager*. After failures the
    pause grows, to *failure_pause_s_max* at most.
    """

    name: str
    tick: Callable[[], Awaitable[int]]
    every_s: float
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    eager: bool = False
    rest_s: float = 0.0
    failure_pause_s_max: float = FAILURE_PAUSE_S_MAX
    _rested: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self, stopping: asyncio.Event, pauses: Pauses) -> None:
        """Tick until *stopping*, with *pauses* that others share."""
        failures = 0
        while not stopping.is_set():
            # Cleared before the tick: a wake during it is not lost.
            self.wake.clear()
            try:
                done = await self.tick()
            except Exception as error:
                # The one broad catch: a worker outlives whatever its tick runs into. The first failure of a row
                # is told with its cause, the end of the row with its length.
                if failures == 0:
                    log.exception("worker.failed", worker=self.name, cause=str(error))
                failures += 1
                await pauses.pause(self.wake, min(self.failure_pause_s_max, self.every_s * failures))
                continue
            if failures:
                log.info("worker.recovered", worker=self.name, failed_ticks=failures)
                failures = 0
            if self.eager and done:
                continue
            if self.rest_s and not stopping.is_set():
                self._rested.clear()
                await pauses.pause(self._rested, self.rest_s)
            await pauses.pause(self.wake, self.every_s - self.rest_s)

    def wake_to_stop(self) -> None:
        """End its pause, or its rest; to be called once it is `stopping`."""
        self.wake.set()
        self._rested.set()


class Supervisor:
    """
    Owns the tasks of a process: workers, which stop between two ticks, and services, which stop when closed.

    A task that ends or fails while the process runs takes the process down: half a server is worse than none.
    """

    def __init__(self) -> None:
        """Own nothing yet."""
        self._stopping = asyncio.Event()
        self._pauses = Pauses()
        self._workers: list[Worker] = []
        self._services: list[tuple[str, Callable[[], Awaitable[None]]]] = []

    def add_worker(self, worker: Worker) -> None:
        """Own *worker* from the start on."""
        self._workers.append(worker)

    def add_service(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Own the task *run*, which returns when what it serves was closed."""
        self._services.append((name, run))

    async def run(self) -> None:
        """Run everything until `stop`, then until every service has returned."""
        async with asyncio.TaskGroup() as group:
            for worker in self._workers:
                group.create_task(worker.run(self._stopping, self._pauses), name=worker.name)
            for name, run in self._services:
                group.create_task(self._serve(run), name=name)

    def stop(self) -> None:
        """Let every worker finish its tick and stop."""
        self._stopping.set()
        for worker in self._workers:
            worker.wake_to_stop()

    async def _serve(self, run: Callable[[], Awaitable[None]]) -> None:
        await run()
        if not self._stopping.is_set():
            raise RuntimeError("a service of this process ended while it was needed")
