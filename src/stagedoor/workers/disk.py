"""Watches the room on the database's disk, and stops what would begin something new before there is none."""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias, TypeVar

import structlog

from stagedoor.kernel.clock import Clock, Instant, later
from stagedoor.kernel.errors import Fault, StoreFull
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.reserve import RETRY_AFTER_MS, NearlyFull, Reserve, Space

log = structlog.get_logger(__name__)

Command = TypeVar("Command")
Outcome = TypeVar("Outcome")

Begin: TypeAlias = Callable[[Command], asyncio.Future[Outcome]]
"""Begins what one command asks for, and returns what will hold its outcome."""

_MB = 1_000_000


class RemoteDisk:
    """
    The disk of a database server, of which nothing is known before a write finds no room on it.

    From the last such write on nothing new is begun for as long as those who ask
    are told to wait; whoever comes next after that tries again.
    """

    def __init__(self, clock: Clock) -> None:
        """Count the wait by *clock*."""
        self._clock = clock
        self._tried_again_at = Instant(0)

    @property
    def is_low(self) -> bool:
        """Whether nothing new may be begun."""
        return self._clock.now() < self._tried_again_at

    def mind(self, fault: Fault) -> None:
        """Begin nothing new for a while where *fault* says that there was no room."""
        if isinstance(fault, StoreFull):
            if not self.is_low:
                log.warning("disk.full")
            self._tried_again_at = later(self._clock.now(), RETRY_AFTER_MS)

    def sparing(self, call: Begin[Command, Outcome]) -> Begin[Command, Outcome]:
        """Return *call*, but for that while; it raises `NearlyFull` then."""

        def spared(command: Command) -> asyncio.Future[Outcome]:
            if self.is_low:
                raise NearlyFull("the database server found no room", retry_after_ms=RETRY_AFTER_MS)
            return call(command)

        return spared

    def ready(self) -> Mapping[str, str]:
        """Say that there was no room, and nothing else: nobody here knows how much is left."""
        return {"disk": "full: the database server found no room for a write"} if self.is_low else {}


def space_in(folder: Path) -> Space:
    """Return the room on the disk of *folder*, as far as this process may use it. Raises OSError."""
    usage = shutil.disk_usage(folder)
    return Space(free=usage.free, total=usage.total)


class DiskWatch:
    """Looks at the disk when told to; between two looks it goes by the last."""

    def __init__(self, folder: Path, reserve: Reserve, metrics: Metrics) -> None:
        """Watch the disk of *folder*."""
        self._folder = folder
        self._reserve = reserve
        self._metrics = metrics
        self._said = "ok"

    @property
    def is_low(self) -> bool:
        """Whether nothing new may be begun."""
        return self._reserve.is_touched

    async def look(self) -> int:
        """Look at the disk; what changes by that is logged once. Raises OSError."""
        space = await asyncio.to_thread(space_in, self._folder)
        self._metrics.disk_free_bytes.set(space.free)
        changed = self._reserve.observe(space)
        figures = {
            "free_mb": space.free // _MB,
            "reserve_mb": round(self._reserve.needed(space.total) / _MB),
        }
        if self.is_low:
            self._said = f"{figures['free_mb']} MB left, {figures['reserve_mb']} MB are the reserve"
            if changed:
                log.warning("disk.low", **figures)
        else:
            self._said = "ok"
            if changed:
                log.info("disk.recovered", **figures)
        return int(changed)

    def sparing(self, call: Begin[Command, Outcome]) -> Begin[Command, Outcome]:
        """Return *call*, for as long as enough is left; it raises `NearlyFull` otherwise."""

        def spared(command: Command) -> asyncio.Future[Outcome]:
            self._reserve.spare()
            return call(command)

        return spared

    def mind(self, fault: Fault) -> None:
        """Begin nothing new where *fault* says that there was no room, until the next look at the disk finds some."""
        if isinstance(fault, StoreFull) and self._reserve.fill():
            self._said = "full: there was no room for a write"
            log.warning("disk.full")

    def ready(self) -> Mapping[str, str]:
        """Say how the disk was found."""
        return {"disk": self._said}
