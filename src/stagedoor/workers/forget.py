"""Forgets what nobody may ask for any more, a little at a time, so that a sale never waits for it."""

from dataclasses import dataclass

from stagedoor.checkout.ports import SaleLeftovers
from stagedoor.kernel.clock import Clock, later
from stagedoor.kernel.lease import Leadership
from stagedoor.outbox.ports import OutboxLeftovers
from stagedoor.waiting_room.ports import LineLeftovers

BATCH_MAX = 500
"""Rows of a kind that one tick removes: a few milliseconds of the database's one writer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetOld:
    """
    Remove what was kept long enough; each kind in a transaction of its own.

    Of several processes the one that *leads* does, and of each room's line the one that leads the room.

    A place that is over is kept for *keep_places_ms*, an idempotency key for
    *keep_keys_ms*, an event for *keep_events_ms* after it was published.
    """

    line: LineLeftovers
    sale: SaleLeftovers
    outbox: OutboxLeftovers
    leads: Leadership
    clock: Clock
    keep_places_ms: int
    keep_keys_ms: int
    keep_events_ms: int

    async def __call__(self) -> int:
        """Remove some of everything that is due; return how many records. Raises `Fault`."""
        now = self.clock.now()
        places_before, keys_before = later(now, -self.keep_places_ms), later(now, -self.keep_keys_ms)
        forgotten = await self.line.forget(ended_before=places_before, keys_before=keys_before, limit=BATCH_MAX)
        if self.leads.fence is None:
            return forgotten
        forgotten += await self.sale.forget_keys(stored_before=keys_before, limit=BATCH_MAX)
        forgotten += await self.outbox.forget(published_before=later(now, -self.keep_events_ms), limit=BATCH_MAX)
        return forgotten + await self.sale.forget_closed_places(closed_before=places_before, limit=BATCH_MAX)
