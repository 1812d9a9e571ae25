"""Whoever has waited long enough is told so: one timer, for whoever is next, serves all."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from heapq import heappop, heappush
from itertools import count
from typing import TypeVar

T = TypeVar("T")


class Watched:
    """Somebody who waits. Once *is_over* she is told nothing."""

    __slots__ = ("is_over", "tell")

    def __init__(self, tell: Callable[[], object]) -> None:
        """Have *tell* called if it takes too long."""
        self.is_over = False
        self.tell = tell


class Overdue:
    """
    Watches those who wait, each until an instant of her own, of the loop's clock.

    `asyncio.timeout` makes a timer for everybody, and cancels nearly all of
    them: in a rush that is a twentieth of an order.
    """

    def __init__(self) -> None:
        """Watch nobody."""
        # The numbers tell two of one instant apart.
        self._waiting: list[tuple[float, int, Watched]] = []
        self._numbers = count()
        self._timer: asyncio.Handle | None = None
        self._looks_at = 0.0

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that all of them wait on; asked for once, as to ask is a system call (`getpid`, CPython 3.11)."""
        return asyncio.get_running_loop()

    def watch(self, until: float, tell: Callable[[], object]) -> Watched:
        """Call *tell* at *until*, unless what is returned is over by then."""
        waiting, watched = self._waiting, Watched(tell)
        while waiting and waiting[0][2].is_over:
            heappop(waiting)
        heappush(waiting, (until, next(self._numbers), watched))
        if self._timer is None:
            self._look_at(until)
        elif until < self._looks_at:
            self._timer.cancel()
            self._look_at(until)
        return watched

    async def in_time(self, work: Awaitable[T], until: float, missed: Callable[[], Exception]) -> T:
        """
        Return what *work* returns, awaited in the caller's own task; at *until* cut it off and raise *missed*.

        Where somebody else cuts the caller off in the same round, she has missed it all the same.
        """
        task = asyncio.current_task(self.loop)
        assert task is not None
        watched = self.watch(until, task.cancel)
        try:
            return await work
        except asyncio.CancelledError:
            if not watched.is_over:
                raise
            raise missed() from None
        finally:
            if watched.is_over:
                task.uncancel()
            watched.is_over = True

    def _look_at(self, instant: float) -> None:
        # Not asked of the timer: for an instant that has come, uvloop gives one that does not know.
        self._looks_at = instant
        self._timer = self.loop.call_at(instant, self._look)

    def _look(self) -> None:
        """Tell those who have waited long enough, and look again when the next one has."""
        waiting, now = self._waiting, self.loop.time()
        self._timer = None
        while waiting and (waiting[0][2].is_over or waiting[0][0] <= now):
            _, _, watched = heappop(waiting)
            if not watched.is_over:
                watched.is_over = True
                watched.tell()
        if waiting and self._timer is None:
            self._look_at(waiting[0][0])
