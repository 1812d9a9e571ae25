"""Follows the clock of the database server, and does not let anybody be served by one that may be wrong."""

from collections.abc import Awaitable, Callable, Mapping

import structlog

from stagedoor.kernel.errors import Fault
from stagedoor.kernel.followed_clock import UNSURE_MS, FollowedClock

log = structlog.get_logger(__name__)


class ClockUnsure(Fault):
    """It cannot be told here what time it is where deadlines are judged, so none is judged here."""


class ClockWatch:
    """Has *clock* follow the one that *read* asks."""

    def __init__(self, clock: FollowedClock, read: Callable[[FollowedClock], Awaitable[None]]) -> None:
        """Ask nobody yet."""
        self._clock = clock
        self._read = read
        self._was_sure: bool | None = None

    @property
    def is_sure(self) -> bool:
        """Whether it is known what time it is."""
        return self._clock.is_sure

    async def look(self) -> int:
        """Ask once; there is never more to do at once. Raises `Fault`."""
        try:
            await self._read(self._clock)
        finally:
            self._tell()
        return 0

    def refuse_unsure(self) -> None:
        """Raise `ClockUnsure` unless it is known what time it is."""
        if not self.is_sure:
            raise ClockUnsure(self._said())

    def ready(self) -> Mapping[str, str]:
        """Say whether it is known what time it is."""
        return {"clock": "ok" if self.is_sure else self._said()}

    def _said(self) -> str:
        return f"may be {self._clock.off_by_ms:.0f} ms off the database's, {UNSURE_MS} ms are the most"

    def _tell(self) -> None:
        """Log that it is not known any more, or again, once; before it ever was there is nothing to say."""
        is_sure = self.is_sure
        if self._was_sure and not is_sure:
            log.warning("clock.unsure", cause=self._said())
        elif is_sure and self._was_sure is False:
            log.info("clock.sure_again")
        if is_sure or self._was_sure is not None:
            self._was_sure = is_sure
