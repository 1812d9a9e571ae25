"""
How many may be admitted at once, so that the rate holds in every window.

A token bucket of capacity ceil(rate / 4), filled at *rate* a second: whatever
the window, at most capacity + rate x T go through it in T seconds.
"""

from math import ceil

from stagedoor.kernel.clock import SECOND_MS, Instant

BURSTS_PER_SECOND = 4
"""A tick is at most a quarter of a second long; a bucket of that size loses nothing between two ticks."""


def burst_max(rate: float) -> int:
    """Return how many may be admitted in one instant at *rate* a second."""
    return ceil(rate / BURSTS_PER_SECOND)


class AdmissionRate:
    """
    The bucket of one room, over changes of the rate, pauses and restarts.

    What is known for sure after a restart, or after a time without a limit, is
    only that the bucket held something not negative right after the last
    admission; so it is taken as empty then, which can only be too careful.
    A raised rate counts from the moment it is first seen.
    """

    def __init__(self, last_admitted_at: Instant | None = None) -> None:
        """Begin with no limit; the last admission ever was at *last_admitted_at*."""
        self._last_admitted_at = last_admitted_at
        self._rate: float | None = None
        self._level = 0.0
        self._settled_at = Instant(0)

    def settle(self, rate: float | None, now: Instant) -> None:
        """Let the time up to *now* count at the rate known so far, and go on with *rate* (None: no limit)."""
        if rate is not None:
            self._level = min(self._filled(rate, now), burst_max(rate))
            # A clock that was set back between two runs must not fill the bucket twice.
            self._settled_at = max(now, self._settled_at)
        self._rate = rate

    def _filled(self, rate: float, now: Instant) -> float:
        if self._rate is not None:
            elapsed_ms = max(0, now - self._settled_at)
            return min(self._level + self._rate * elapsed_ms / SECOND_MS, burst_max(self._rate))
        if self._last_admitted_at is None:
            return burst_max(rate)
        return rate * max(0, now - self._last_admitted_at) / SECOND_MS

    @property
    def last_admitted_at(self) -> Instant | None:
        """The instant of the last admission, None before there was one."""
        return self._last_admitted_at

    @property
    def available(self) -> int | None:
        """How many may be admitted now, None for no limit."""
        return None if self._rate is None else int(self._level)

    def take(self, count: int, at: Instant) -> None:
        """Count *count* admissions at *at*."""
        if count:
            self._level -= count
            self._last_admitted_at = at
