"""A tick that ought to succeed several times a second, and whether it has of late."""

from collections.abc import Awaitable, Callable

from stagedoor.kernel.clock import GAP_MS, Clock, Instant


class Regularly:
    """Ticks, and remembers when that last went well."""

    def __init__(self, tick: Callable[[], Awaitable[int]], clock: Clock) -> None:
        """Count by *clock*, the machine's, from the first tick on."""
        self._tick = tick
        self._clock = clock
        self._last_at: Instant | None = None

    async def __call__(self) -> int:
        """Tick. Raises what the tick raises."""
        if self._last_at is None:
            self._last_at = self._clock.now()
        done = await self._tick()
        self._last_at = self._clock.now()
        return done

    @property
    def is_late(self) -> bool:
        """Whether for `GAP_MS` no tick has gone well."""
        return self._last_at is not None and self._clock.now() - self._last_at >= GAP_MS
