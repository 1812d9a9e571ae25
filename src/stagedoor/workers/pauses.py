"""Pauses that end together: to wake a process costs more than most of what it wakes for."""

import asyncio
from dataclasses import dataclass

EARLY_S_MAX = 0.05
EARLY_PART = 0.25
"""By so much a pause may be cut short, as a part of it, where another one ends then."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pause:
    wake: asyncio.Event
    ends_at: float
    may_end_at: float


class Pauses:
    """
    The pauses of all workers of a process, with one timer.

    None takes longer than it was asked for. Where one ends, those end with it that would soon.
    """

    def __init__(self) -> None:
        """Have nobody pause yet."""
        # In the order in which they began, so that the same pauses always end in the same order.
        self._pauses: dict[_Pause, None] = {}
        self._timer: asyncio.Handle | None = None
        self._rings_at = 0.0

    async def pause(self, wake: asyncio.Event, seconds: float) -> None:
        """Return when *wake* is set, by whomever; after *seconds* at most it is set from here."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        early_s = min(EARLY_S_MAX, seconds * EARLY_PART)
        pause = _Pause(wake=wake, ends_at=ends_at, may_end_at=ends_at - early_s)
        self._pauses[pause] = None
        self._look_at(loop, ends_at)
        try:
            await wake.wait()
        finally:
            self._pauses.pop(pause, None)

    def _look_at(self, loop: asyncio.AbstractEventLoop, instant: float) -> None:
        if self._timer is not None:
            if self._rings_at <= instant:
                return
            self._timer.cancel()
        # Noted here, for uvloop's handle of a call that is due already does not say when it is.
        self._rings_at = instant
        self._timer = loop.call_at(instant, self._end_some, loop)

    def _end_some(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for pause in [each for each in self._pauses if each.may_end_at <= now]:
            del self._pauses[pause]
            pause.wake.set()
        if self._pauses:
            self._look_at(loop, min(pause.ends_at for pause in self._pauses))
