"""What this process can take: how late its loop is, how many calls are under way, and who is put off for that."""

import asyncio
from itertools import count
from time import perf_counter

import structlog

from stagedoor.kernel.errors import Overloaded
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.concurrency_limit import ConcurrencyLimit
from stagedoor.resilience.lag_level import LagLevel
from stagedoor.resilience.priority import Priority

log = structlog.get_logger(__name__)

TARGET_S = 0.25
LEAST = 605
"""
The share of reserves in it is two full batches: one is being committed while the next one gathers.

With fewer, a store that is slow and keeps up (300 ms a commit) would have half of its buyers put off, and no queue.
"""

MOST = 10_000

LATE = 2.0
"""The loop is late when it is so many times later than calls may wait: it stumbles now and then, and catches up."""

LOOK_EVERY_S = 0.05
QUIET_LOOKS = 100
"""After so many looks without anybody put off, it is over."""

_COME_BACK_MS = (1_000, 2_000, 3_000)


class Shed(Overloaded):
    """The process has more to do than it can; the call was put off before anything of it was begun."""


SHED = Shed("put off")


class Load:
    """
    Decides for each call whether it may begin now. Nothing here is awaited, and nothing takes longer than an addition.

    A call is put off for the lag of the loop, which it would wait for behind
    everybody else's, or because as many are under way as can be answered in
    time. `Priority` says who is first to be put off.
    """

    def __init__(self, metrics: Metrics, *, target_s: float = TARGET_S, least: int = LEAST, most: int = MOST) -> None:
        """Aim at calls that wait no longer than *target_s*."""
        self._metrics = metrics
        self._lag = LagLevel(target_s=LATE * target_s)
        self._limit = ConcurrencyLimit(target_s=target_s, least=least, most=most)
        # The lag's and the limit's own: every call comes by here, and would pay for functions that hand it on.
        self.sheds = self._lag.sheds
        """Says whether a call is put off for the lag, whether or not it would have to wait."""
        self.has_room = self._limit.has_room
        """Says whether a call that has to wait for something may do so; instants are `time.perf_counter`'s."""
        self.begin = self._limit.begin
        self._come_back = count()
        self._looked_at: float | None = None
        self._shed = 0
        self._shed_before = 0
        self._quiet_looks = QUIET_LOOKS
        metrics.under_way_limit.set_function(lambda: self._limit.limit)
        metrics.shed_level.set_function(lambda: self._lag.level)

    def end(self, priority: Priority, began: float) -> None:
        """Count its end."""
        self._limit.end(priority, began, perf_counter())

    def put_off(self) -> int:
        """Count a call that was put off; return after how many milliseconds to come back, not the same for all."""
        self._shed += 1
        return _COME_BACK_MS[next(self._come_back) % len(_COME_BACK_MS)]

    async def look(self) -> int:
        """Take note of how late the loop is, once every `LOOK_EVERY_S`; beginning and end of a row are logged."""
        now = asyncio.get_running_loop().time()
        if self._looked_at is not None:
            lag_s = max(0.0, now - self._looked_at - LOOK_EVERY_S)
            self._metrics.loop_lag.observe(lag_s)
            self._lag.observe(lag_s)
        self._looked_at = now
        self._tell()
        return 0

    def _tell(self) -> None:
        if self._shed > self._shed_before:
            if self._quiet_looks >= QUIET_LOOKS:
                log.warning("load.shedding", limit=round(self._limit.limit), level=round(self._lag.level, 2))
            self._quiet_looks = 0
        elif self._quiet_looks < QUIET_LOOKS:
            self._quiet_looks += 1
            if self._quiet_looks == QUIET_LOOKS:
                log.info("load.recovered", shed=self._shed)
        self._shed_before = self._shed
