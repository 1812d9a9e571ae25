"""Whoever has waited long enough is cut off: one timer, for whoever is next, serves all."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from heapq import heappop, heappush
from itertools import count
from typing import TypeVar

T = TypeVar("T")

AGAIN_S = 0.02
"""Whoever goes on all the same is cut off again after so long: what she waited for may have used the first cut up."""


class Caller:
    """Somebody who waits in *task* *until* an instant of the loop's clock, None for one who does no more."""

    __slots__ = ("cuts", "task", "until")

    def __init__(self, task: "asyncio.Task[object]", until: float) -> None:
        self.task = task
        self.until: float | None = until
        self.cuts = 0


class Overdue:
    """
    Watches those who wait, each until an instant of her own, of the loop's clock.

    `asyncio.timeout` makes a timer for everybody, and cancels nearly all of
    them: in a rush that is a twentieth of an order.
    """

    def __init__(self) -> None:
        """Watch nobody."""
        # The numbers tell two of one instant apart.
        self._waiting: list[tuple[float, int, Caller]] = []
        self._numbers = count()
        self._timer: asyncio.Handle | None = None
        self._looks_at = 0.0

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that all of them wait on; asked for once, as to ask is a system call (`getpid`, CPython 3.11)."""
        return asyncio.get_running_loop()

    def watch(self, until: float) -> Caller:
        """Cut the current task off at *until*, and again every `AGAIN_S`, unless it is `let_go` by then."""
        task = asyncio.current_task(self.loop)
        assert task is not None
        caller = Caller(task, until)
        self._push(caller, until)
        return caller

    def move(self, caller: Caller, until: float | None) -> None:
        """Cut *caller* off at *until* instead; None: never."""
        caller.until = until
        if until is not None:
            self._push(caller, until)

    @staticmethod
    def let_go(caller: Caller) -> None:
        """Watch *caller* no more, and take back what she was cut off for."""
        caller.until = None
        for _ in range(caller.cuts):
            caller.task.uncancel()

    async def in_time(self, work: Awaitable[T], until: float, missed: Callable[[], Exception]) -> T:
        """
        Return what *work* returns, awaited in the caller's own task; at *until* cut it off and raise *missed*.

        Where somebody else cuts the caller off in the same round, she has missed it all the same.
        """
        caller = self.watch(until)
        try:
            return await work
        except asyncio.CancelledError:
            if not caller.cuts:
                raise
            raise missed() from None
        finally:
            self.let_go(caller)

    def _push(self, caller: Caller, until: float) -> None:
        waiting = self._waiting
        while waiting and waiting[0][0] != waiting[0][2].until:
            heappop(waiting)
        heappush(waiting, (until, next(self._numbers), caller))
        if self._timer is None:
            self._look_at(until)
        elif until < self._looks_at:
            self._timer.cancel()
            self._look_at(until)

    def _look_at(self, instant: float) -> None:
        # Not asked of the timer: for an instant that has come, uvloop gives one that does not know.
        self._looks_at = instant
        self._timer = self.loop.call_at(instant, self._look)

    def _look(self) -> None:
        """Cut those off who have waited long enough, and look again when the next one has."""
        waiting, now = self._waiting, self.loop.time()
        self._timer = None
        while waiting and (waiting[0][0] != waiting[0][2].until or waiting[0][0] <= now):
            until, _, caller = heappop(waiting)
            if until == caller.until:
                caller.cuts += 1
                caller.task.cancel()
                # Not by `move`, which would look for this one next, whoever comes before.
                caller.until = now + AGAIN_S
                heappush(waiting, (caller.until, next(self._numbers), caller))
        if waiting:
            self._look_at(waiting[0][0])
