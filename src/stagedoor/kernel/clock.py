"""Time, as something you are handed rather than something you reach for."""

from typing import NamedTuple, NewType, Protocol

Instant = NewType("Instant", int)
"""Milliseconds since the Unix epoch, UTC."""

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

FOREVER = Instant(1 << 52)
"""Later than every instant that is compared with it, and still exact in JSON."""

_LONG_AGO = Instant(-FOREVER)


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


GAP_MS = 2 * SECOND_MS
"""A service that gave no sign of life for so long is taken to have stood still."""


class Outage(NamedTuple):
    """
    Time in which nobody could be served, from *began_at* to *ended_at*.

    *credited_ms* of it are given back: all of it, up to a maximum.
    """

    began_at: Instant
    ended_at: Instant
    credited_ms: int

    def credit_since(self, instant: Instant) -> int:
        """Return how many milliseconds are given back to what began at *instant*: none of the time before it."""
        return max(0, min(self.credited_ms, self.ended_at - instant))


class ServiceClock(Clock):
    """
    Another clock, but for one thing: it stands still while the service does.

    Once the last sign of life is `GAP_MS` old it says what it said last, until
    the next sign: by then the gap has been given back. So nobody judges a
    deadline by time that does not count, whoever comes first. `stop` makes it
    stand at once. Before the first sign it is the other clock.
    """

    def __init__(self, clock: Clock) -> None:
        """Go by *clock*."""
        self._clock = clock
        self._alive_at = FOREVER
        self._said = Instant(0)
        self.is_stopped = False

    def now(self) -> Instant:
        """Return the present instant, or the last one in which the service lived."""
        now = self._clock.now()
        if now - self._alive_at < GAP_MS:
            self._said = now
            return now
        return self._said

    @property
    def stands(self) -> bool:
        """Whether there is a gap that was not given back yet."""
        return self._clock.now() - self._alive_at >= GAP_MS

    def stop(self) -> None:
        """Stand still from now until the next sign of life: the service lives, but nobody can use it."""
        if not self.is_stopped:
            self.now()
            self._alive_at = _LONG_AGO
            self.is_stopped = True

    def alive(self, at: Instant) -> None:
        """Go on: the service lived at *at*, and what was lost before it has been given back."""
        self.is_stopped = False
        self._alive_at = at
        self._said = max(self._said, at)
