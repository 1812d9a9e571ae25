"""How the outcomes that a breaker judges by are kept: the last N calls, or the calls of the last N seconds."""

from collections.abc import Callable
from typing import Final, Protocol

MonotonicNs = Callable[[], int]
"""Nanoseconds of a clock that never goes back, such as `time.monotonic_ns`; only differences mean anything."""

SECOND_NS: Final = 1_000_000_000

SUCCEEDED: Final = 0
FAILED: Final = 1
SLOW: Final = 2
"""An outcome is SUCCEEDED or FAILED, plus SLOW if the call was slow: 0 to 3."""

_OUTCOMES: Final = 4

NO_RATE: Final = -1.0
"""The rate of a window with fewer calls than its minimum; Resilience4j's gauges show the same."""


class Window(Protocol):
    """
    Counted outcomes.

    *counts* holds, by outcome, how many calls are in the window, and *total* their
    sum; below *minimum* calls nothing may be concluded from them.
    """

    counts: list[int]
    total: int
    minimum: int

    def add(self, outcome: int) -> None:
        """Count *outcome* as one that happened now."""
        ...

    def forget_the_past(self) -> None:
        """Drop what has left the window by now."""
        ...


def rates_of(window: Window) -> tuple[float, float]:
    """Return the failure rate and the slow call rate as of now, in percent, or `NO_RATE` twice."""
    window.forget_the_past()
    if window.total < window.minimum:
        return NO_RATE, NO_RATE
    _, failed, slow, slow_failed = window.counts
    return (failed + slow_failed) * 100 / window.total, (slow + slow_failed) * 100 / window.total


class CountWindow:
    """The last *size* outcomes: a ring and its sums. It never asks for more calls than it can hold."""

    __slots__ = ("_next", "_ring", "_size", "counts", "minimum", "total")

    def __init__(self, size: int, *, minimum: int) -> None:
        self.counts = [0] * _OUTCOMES
        self.total = 0
        self.minimum = min(minimum, size)
        self._ring = bytearray(size)
        self._size = size
        self._next = 0

    def add(self, outcome: int) -> None:
        """Count *outcome* in place of the oldest one."""
        index = self._next
        if self.total < self._size:
            self.total += 1
        else:
            self.counts[self._ring[index]] -= 1
        self.counts[outcome] += 1
        self._ring[index] = outcome
        index += 1
        self._next = index if index < self._size else 0

    def forget_the_past(self) -> None:
        """Do nothing: only newer calls push a call out."""


class TimeWindow:
    """
    The outcomes of this second and the *seconds* - 1 before it, in one bucket a second.

    Seconds are whole seconds of *now_ns*, so a call is kept for more than *seconds* - 1
    and at most *seconds* seconds, according to when in its second it ended.
    """

    __slots__ = ("_buckets", "_now_ns", "_second", "_seconds", "counts", "minimum", "total")

    def __init__(self, seconds: int, *, minimum: int, now_ns: MonotonicNs) -> None:
        self.counts = [0] * _OUTCOMES
        self.total = 0
        self.minimum = minimum
        self._seconds = seconds
        self._now_ns = now_ns
        self._second = now_ns() // SECOND_NS
        self._buckets = [[0] * _OUTCOMES for _ in range(seconds)]

    def add(self, outcome: int) -> None:
        """Count *outcome* in the bucket of this second."""
        self.forget_the_past()
        self._buckets[self._second % self._seconds][outcome] += 1
        self.counts[outcome] += 1
        self.total += 1

    def forget_the_past(self) -> None:
        """Empty the buckets that the seconds since the last look will use again."""
        second = self._now_ns() // SECOND_NS
        if second == self._second:
            return
        first = max(self._second + 1, second - self._seconds + 1)
        for passed in range(first, second + 1):
            bucket = self._buckets[passed % self._seconds]
            for outcome, number in enumerate(bucket):
                self.counts[outcome] -= number
                self.total -= number
                bucket[outcome] = 0
        self._second = second
