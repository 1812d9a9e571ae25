"""
Another machine's clock, kept here: what it said when it was asked, and how far that can be off by now.

Each question has an answer that was true at some instant between the asking
and the answer, so it says where the other clock is to within half of the time
it took (Cristian, 1989). The surest of the last answers is believed; its
uncertainty grows by what two clocks can drift apart.
"""

from collections import deque
from math import inf
from typing import Final, NamedTuple

from stagedoor.kernel.clock import MINUTE_MS, Clock, Instant, later

UNSURE_MS: Final = 500
"""A process that may be further off than that judges no deadline."""

READINGS_KEPT_MS: Final = 2 * MINUTE_MS

DRIFT_PER_MS: Final = 0.0005
"""What two clocks drift apart, at most: NTP moves none of them by more than 500 ppm."""


class Reading(NamedTuple):
    """Asked at *asked_at* and answered at *answered_at*, by our clock, the other said *said*."""

    asked_at: Instant
    answered_at: Instant
    said: Instant

    @property
    def ahead_ms(self) -> float:
        """How far the other clock is ahead of ours, negative where it is behind."""
        return self.said - (self.asked_at + self.answered_at) / 2

    def off_by_ms(self, now: Instant) -> float:
        """Return how far `ahead_ms` can be off at *now*; a millisecond is what instants are rounded to."""
        return (self.answered_at - self.asked_at) / 2 + 1 + (now - self.answered_at) * DRIFT_PER_MS


class FollowedClock(Clock):
    """
    Another machine's clock, as this process knows it.

    It never goes backwards: where it was ahead, it waits until the other has
    caught up. Before the first reading it is this process's own, and unsure.
    """

    def __init__(self, clock: Clock) -> None:
        """Go by *clock*, this machine's, moved by what the other says."""
        self._clock = clock
        self._readings: deque[Reading] = deque()
        self._surest: Reading | None = None
        self._ahead_ms = 0.0
        self._said = Instant(0)

    def now(self) -> Instant:
        """Return the present instant by the other clock."""
        self._said = max(self._said, later(self._clock.now(), round(self._ahead_ms)))
        return self._said

    @property
    def off_by_ms(self) -> float:
        """How far it can be off, and how far it is ahead while it waits; infinity before the first reading."""
        if self._surest is None:
            return inf
        now = self._clock.now()
        waits_ms = max(0.0, self._said - (now + self._ahead_ms))
        return waits_ms + self._surest.off_by_ms(now)

    @property
    def is_sure(self) -> bool:
        """Whether it is known to within `UNSURE_MS`."""
        return self.off_by_ms <= UNSURE_MS

    def own(self) -> Instant:
        """Return the present instant by this machine's clock: what readings are taken with."""
        return self._clock.now()

    def read(self, reading: Reading) -> None:
        """Go by *reading* too. Older ones that it contradicts are not believed any more: a clock was moved."""
        now = self._clock.now()
        readings = [each for each in self._readings if now - each.answered_at < READINGS_KEPT_MS]
        self._readings = deque(each for each in readings if _agree(each, reading, now))
        self._readings.append(reading)
        # Until the next one, too: all grow unsure alike.
        self._surest = min(self._readings, key=lambda each: each.off_by_ms(now))
        self._ahead_ms = self._surest.ahead_ms


def _agree(one: Reading, other: Reading, now: Instant) -> bool:
    return abs(one.ahead_ms - other.ahead_ms) <= one.off_by_ms(now) + other.off_by_ms(now)
