"""Says at short intervals that this process can serve: the sign of life that an outage is measured by."""

from collections.abc import Awaitable, Callable, Mapping

from stagedoor.kernel.clock import SECOND_MS, Clock
from stagedoor.kernel.lease import Leadership

LATE_MS = 3 * SECOND_MS

RARELY_MS = SECOND_MS // 2
"""How old the last sign of one process may be while another gives one at each tick: it is no less alive for that."""


class Pulse:
    """Gives the sign of life, and knows how long ago it last could."""

    def __init__(self, give_sign: Callable[[], Awaitable[int]], clock: Clock, *, leads: Leadership) -> None:
        """
        Begin as alive now by *clock*, the machine's; *give_sign* writes it down, and gives back the time before.

        Whoever *leads* gives the sign as often as an outage is to be exact.
        """
        self._give_sign = give_sign
        self._clock = clock
        self._leads = leads
        self._last_at = clock.now()

    async def tick(self) -> int:
        """`beat`, where it is this process's turn to. Raises `Fault`."""
        if self._leads.fence is None and self._clock.now() - self._last_at < RARELY_MS:
            return 0
        return await self.beat()

    async def beat(self) -> int:
        """Write down that this process can serve, giving back the time in which it could not. Raises `Fault`."""
        await self._give_sign()
        self._last_at = self._clock.now()
        return 1

    def ready(self) -> Mapping[str, str]:
        """Say whether the database can be written to, as the pulse found it."""
        late_ms = self._clock.now() - self._last_at
        return {"database": "ok" if late_ms < LATE_MS else f"not written to for {late_ms // SECOND_MS} s"}
