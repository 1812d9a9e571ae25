"""Time, as something you are handed rather than something you reach for."""

from typing import NewType, Protocol

Instant = NewType("Instant", int)
"""Milliseconds since the Unix epoch, UTC."""

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

FOREVER = Instant(1 << 52)
"""Later than every instant that is compared with it, and still exact in JSON."""


def later(instant: Instant, by_ms: int) -> Instant:
    """Return the instant *by_ms* milliseconds after (or, negative, before) *instant*."""
    return Instant(instant + by_ms)


class Clock(Protocol):
    """A source of the present instant that never goes backwards."""

    def now(self) -> Instant:
        """Return the present instant."""
        ...


class ManualClock(Clock):
    """A clock that moves only when told to: for tests and simulations."""

    def __init__(self, start: Instant) -> None:
        """Begin at *start*."""
        self._now = start

    def now(self) -> Instant:
        """Return the instant the clock was last moved to."""
        return self._now

    def advance(self, by_ms: int) -> Instant:
        """Move *by_ms* milliseconds (not negative) ahead and return the new instant."""
        assert by_ms >= 0
        self._now = later(self._now, by_ms)
        return self._now
