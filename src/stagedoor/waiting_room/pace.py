"""How fast a line moves: measured where there is something to measure."""

from collections import deque

from stagedoor.kernel.clock import MINUTE_MS, SECOND_MS, Instant

WINDOW_MS = MINUTE_MS
SAMPLES_MIN = 20
"""A slow line is measured over more than the window: over its last admissions, at least this many."""

EVIDENCE_MIN = 5
EVIDENCE_MS_MIN = 5 * SECOND_MS
"""Less than this says nothing yet."""

_WEIGHT = 0.1
"""Of a new pass in the moving average of how long they last."""


class Pace:
    """
    The recent rate of admission, and how long a pass lasts.

    Only time in which people wait and are held back by the room's own limits
    counts: not a pause, not a sold-out hour, not an empty line, and not the
    moment in which an empty room fills.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self.per_second: float | None = None
        self.mean_pass_ms: float | None = None
        self._admissions: deque[tuple[int, int]] = deque()
        self._total = 0
        self._began_ms = 0
        self._running_ms = 0
        self._last_at: Instant | None = None
        self._held_back = False

    def elapse(self, now: Instant) -> None:
        """Count the time since the last call, if people were held back in it."""
        if self._held_back and self._last_at is not None:
            self._running_ms += max(0, now - self._last_at)
        self._last_at = now
        self._forget_old()
        span_ms = self._running_ms - self._began_ms
        known = self._total >= EVIDENCE_MIN and span_ms >= EVIDENCE_MS_MIN
        self.per_second = self._total * SECOND_MS / span_ms if known else None

    def skip(self, until: Instant) -> None:
        """Leave the time up to *until* out: nobody could be admitted in it."""
        if self._last_at is not None:
            self._last_at = max(self._last_at, until)

    def turned(self, *, admitted: int, held_back: bool) -> None:
        """Count a turn at the instant of the last `elapse`; *held_back* says whether people are, from now on."""
        if admitted and self._held_back:
            self._admissions.append((self._running_ms, admitted))
            self._total += admitted
        self._held_back = held_back

    def pass_ended(self, lasted_ms: int) -> None:
        """Learn from a pass that lasted *lasted_ms*."""
        mean = self.mean_pass_ms
        self.mean_pass_ms = lasted_ms if mean is None else mean + _WEIGHT * (lasted_ms - mean)

    def _forget_old(self) -> None:
        admissions = self._admissions
        while admissions and self._running_ms - admissions[0][0] > WINDOW_MS:
            at_ms, count = admissions[0]
            if self._total - count < SAMPLES_MIN:
                break
            admissions.popleft()
            self._total -= count
            self._began_ms = at_ms
