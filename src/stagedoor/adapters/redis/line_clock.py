"""What time it is for the line: by the clock that judges every deadline, and never before what others have done."""

from stagedoor.kernel.clock import Clock, Instant
from stagedoor.kernel.followed_clock import UNSURE_MS

APART_MS = 2 * UNSURE_MS
"""So far the clocks of two processes are apart at most, as each knows the time to within half of it."""


class LineClock(Clock):
    """
    The clock that judges deadlines, as this process knows it, moved on by what it reads in the log.

    So a turn that was planned on an end is never earlier than that end, though
    another process has written it, by a clock that is a little ahead. *own* is
    this process's own, by which is judged what happened a moment ago: the other
    one stands still where it was ahead.
    """

    def __init__(self, clock: Clock, *, own: Clock) -> None:
        """Go by *clock*."""
        self.own = own
        self._clock = clock
        self._said = Instant(0)

    def heard(self, at: Instant) -> None:
        """Learn that a process has done something at *at*."""
        # What is further ahead was written by a clock that is right again: to wait for it would be to go wrong with it.
        if at - self._clock.now() <= APART_MS:
            self._said = max(self._said, at)

    def now(self) -> Instant:
        """Return the present instant."""
        self._said = max(self._said, self._clock.now())
        return self._said
