"""Watches the room on the database's disk, and stops what would begin something new before there is none."""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import structlog

from stagedoor.kernel.errors import StoreFull
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.reserve import Reserve, Space

log = structlog.get_logger(__name__)

Command = TypeVar("Command")
Outcome = TypeVar("Outcome")

Begin: TypeAlias = Callable[[Command], asyncio.Future[Outcome]]
"""Begins what one command asks for, and returns what will hold its outcome."""

_MB = 1_000_000


class RemoteDisk:
    """The disk of a database server, which that looks after itself: where it is full, the database fails."""

    is_low = False

    def minding(self, call: Begin[Command, Outcome]) -> Begin[Command, Outcome]:
        """Return *call*."""
        return call

    def sparing(self, call: Begin[Command, Outcome]) -> Begin[Command, Outcome]:
        """Return *call*."""
        return call

    def ready(self) -> Mapping[str, str]:
        """Say nothing of it."""
        return {}


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

    def minding(self, call: Begin[Command, Outcome]) -> Begin[Command, Outcome]:
        """Return *call*; where it finds no room, nothing new is begun until the next look at the disk finds some."""

        def minded(command: Command) -> asyncio.Future[Outcome]:
            begun = call(command)
            begun.add_done_callback(self._mind)
            return begun

        return minded

    def sparing(self, call: Begin[Command, Outcome]) -> Begin[Command, Outcome]:
        """Return *call*, `minding` it, for as long as enough is left; it raises `NearlyFull` otherwise."""
        minded = self.minding(call)

        def spared(command: Command) -> asyncio.Future[Outcome]:
            self._reserve.spare()
            return minded(command)

        return spared

    def _mind(self, done: asyncio.Future[Any]) -> None:
        if not done.cancelled() and isinstance(done.exception(), StoreFull) and self._reserve.fill():
            self._said = "full: there was no room for a write"
            log.warning("disk.full")

    def ready(self) -> Mapping[str, str]:
        """Say how the disk was found."""
        return {"disk": self._said}
