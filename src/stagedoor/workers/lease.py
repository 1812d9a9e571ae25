"""Keeps a lease, or waits for it, and says when it changes hands."""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from stagedoor.kernel.lease import Fence, Lease

log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class KeepLease:
    """Keep *lease*; *taken* is called when it has become ours."""

    lease: Lease
    taken: Callable[[], None]
    _held: Fence | None = field(default=None, init=False)

    async def __call__(self) -> int:
        """Keep it once; there is never more to do at once. Raises `Fault`."""
        try:
            await self.lease.keep()
        finally:
            self._tell()
        return 0

    def _tell(self) -> None:
        held, before = self.lease.fence, self._held
        self._held = held
        if held == before:
            return
        if before is not None:
            log.warning("lease.lost", lease=self.lease.name, fence=before)
        if held is not None:
            log.info("lease.taken", lease=self.lease.name, fence=held)
            self.taken()
