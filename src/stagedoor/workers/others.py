"""Notices what other processes have committed, which nobody tells this one of."""

from collections.abc import Callable

from stagedoor.kernel.clock import SECOND_MS, Clock, Instant, later

UNRULY_MS = 10 * SECOND_MS
"""Longer than any transaction lasts: whatever was numbered before the newest event is committed, or undone, by then."""


class FollowOthers:
    """
    Calls *changed* as long as anything may have been sold since it was called last.

    Every sale writes an event, and events are numbered; but a lower number may
    be committed after a higher one. So a change counts for `UNRULY_MS`.
    """

    def __init__(self, clock: Clock, *, changed: Callable[[], None]) -> None:
        """Know of no event yet; *clock* is the machine's."""
        self._clock = clock
        self._changed = changed
        self._seen = -1
        self._quiet_at = Instant(0)

    def hear(self, newest: int) -> None:
        """Take note that the newest event has the number *newest*; to be called several times a second."""
        now = self._clock.now()
        if newest != self._seen:
            self._seen, self._quiet_at = newest, later(now, UNRULY_MS)
        if now < self._quiet_at:
            self._changed()
