"""The notification of a paid order: what the buyer is told, once an event."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stagedoor.checkout.events import OrderPaid
from stagedoor.kernel.clock import Clock, Instant
from stagedoor.kernel.events import DomainEvent
from stagedoor.outbox.ports import Subscriber


class NotificationLog(Protocol):
    """Remembers what was told to whom."""

    async def note(self, paid: Sequence[OrderPaid], *, at: Instant) -> None:
        """Write one notification an event; an event id that is there already is left as it is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyOfPaidOrders(Subscriber):
    """Writes the notification log."""

    log: NotificationLog
    clock: Clock

    async def __call__(self, events: Sequence[DomainEvent]) -> None:
        """Note every paid order among *events*."""
        paid = [event for event in events if isinstance(event, OrderPaid)]
        if paid:
            await self.log.note(paid, at=self.clock.now())
