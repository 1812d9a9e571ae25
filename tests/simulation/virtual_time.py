"""Time that passes only when nobody has anything left to do, and a disk that takes its share of it."""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

from stagedoor.kernel.clock import SECOND_MS, Clock, Instant, later

T = TypeVar("T")

LATENCY_S = 0.0002
"""How long one step in a thread of the database takes, unless a fault says otherwise."""


class _NoWaiting(selectors.SelectSelector):
    """Instead of waiting for a socket, lets the time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits for somebody else")
        self.now_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    An event loop without a clock of its own.

    What is handed to a thread runs in here, some time later: one step at a time
    in each executor, in order. So a run is the same each time.
    """

    def __init__(self, started_s: float) -> None:
        """Begin *started_s* seconds after noon."""
        self._virtual = _NoWaiting()
        self._virtual.now_s = started_s
        super().__init__(self._virtual)
        self._busy_until: dict[int, float] = {}
        self._pending: set[asyncio.Future[Any]] = set()
        self.latency_s: Callable[[], float] = lambda: LATENCY_S
        self.before_step: Callable[[], None] = lambda: None
        self.after_step: Callable[[], None] = lambda: None
        self.is_dead = False

    def time(self) -> float:
        """Return the seconds since noon."""
        return self._virtual.now_s

    def stand_still(self, seconds: float) -> None:
        """Let *seconds* pass in which nobody here does anything, as in a process that was stopped."""
        self._virtual.now_s += seconds

    def die(self) -> None:
        """End whatever a thread was asked for, now and from now on, without an answer."""
        self.is_dead = True
        self.set_exception_handler(lambda _loop, _context: None)
        for future in self._pending:
            future.cancel()

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: object) -> "asyncio.Future[T]":
        """Run *func* when the executor has come to it; return its future result."""
        future: asyncio.Future[T] = self.create_future()
        if self.is_dead:
            future.cancel()
            return future
        begins = max(self.time(), self._busy_until.get(id(executor), 0.0))
        ends = begins + self.latency_s()
        self._busy_until[id(executor)] = ends
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        self.call_at(ends, self._step, future, func, args)
        return future

    def _step(self, future: "asyncio.Future[T]", func: Callable[..., T], args: tuple[object, ...]) -> None:
        # A thread does what it was asked for, also when its caller has gone.
        if self.is_dead:
            return
        self.before_step()
        if self.is_dead:
            return
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 -- handed on to whoever waits
            if not future.done():
                future.set_exception(error)
        else:
            self.after_step()
            if not future.done():
                future.set_result(result)


class VirtualClock(Clock):
    """The clock of a virtual loop."""

    def __init__(self, loop: VirtualLoop, noon: Instant) -> None:
        """Tell the time of *loop*, which began at *noon*."""
        self._loop = loop
        self._noon = noon

    def now(self) -> Instant:
        """Return the present instant."""
        # A microsecond more, so that sums of seconds do not fall short of a millisecond.
        return later(self._noon, int(self._loop.time() * SECOND_MS + 0.001))
