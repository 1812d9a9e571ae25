"""The machine's clock, read so that it never goes backwards."""

import time

from stagedoor.kernel.clock import Clock, Instant

_NS_PER_MS = 1_000_000


class SystemClock(Clock):
    """
    Wall time at the start of the process, moved on by the monotonic clock.

    A step of the machine's clock (a late NTP correction, a hand at the
    console) must not end every hold of a sale at once.
    """

    def __init__(self) -> None:
        """Read the wall clock, once."""
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now(self) -> Instant:
        """Return the present instant."""
        return Instant((self._offset_ns + time.monotonic_ns()) // _NS_PER_MS)
