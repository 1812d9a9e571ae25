"""Notices what other processes have committed, which nobody tells this one of."""

from collections.abc import Awaitable, Callable

from stagedoor.kernel.clock import SECOND_MS, Clock, Instant, later

UNRULY_MS = 10 * SECOND_MS
"""Longer than any transaction lasts: whatever was numbered before the newest event is committed, or undone, by then."""


class FollowOthers:
    """
    Calls *changed* as long as anything may have been sold since it was called last.

    Every sale writes an event, and events are numbered; but a lower number may
    be committed after a higher one. So a change counts for `UNRULY_MS`.
    """

    def __init__(self, newest: Callable[[], Awaitable[int]], clock: Clock, *, changed: Callable[[], None]) -> None:
        """Ask *newest* for the number of the newest event; *clock* is the machine's."""
        self._newest = newest
        self._clock = clock
        self._changed = changed
        self._seen = -1
        self._quiet_at = Instant(0)

    async def look(self) -> int:
        """Look once; there is never more to do at once. Raises `Fault`."""
        newest = await self._newest()
        now = self._clock.now()
        if newest != self._seen:
            self._seen, self._quiet_at = newest, later(now, UNRULY_MS)
        if now < self._quiet_at:
            self._changed()
        return 0
