"""Follows the clock of the database server, and does not let anybody be served by one that may be wrong."""

from collections.abc import Awaitable, Callable, Mapping

from stagedoor.kernel.errors import Fault
from stagedoor.kernel.followed_clock import UNSURE_MS, FollowedClock


class ClockUnsure(Fault):
    """It cannot be told here what time it is where deadlines are judged, so none is judged here."""


class ClockWatch:
    """Has *clock* follow the one that *read* asks."""

    def __init__(self, clock: FollowedClock, read: Callable[[FollowedClock], Awaitable[None]]) -> None:
        """Ask nobody yet."""
        self._clock = clock
        self._read = read

    async def look(self) -> int:
        """Ask once; there is never more to do at once. Raises `Fault`."""
        await self._read(self._clock)
        return 0

    def refuse_unsure(self) -> None:
        """Raise `ClockUnsure` unless it is known what time it is."""
        if not self._clock.is_sure:
            raise ClockUnsure(self._said())

    def ready(self) -> Mapping[str, str]:
        """Say whether it is known what time it is."""
        return {"clock": "ok" if self._clock.is_sure else self._said()}

    def _said(self) -> str:
        return f"may be {self._clock.off_by_ms:.0f} ms off the database's, {UNSURE_MS} ms are the most"
