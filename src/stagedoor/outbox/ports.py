"""What the relay needs: the records that wait, and somebody to give them to."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import EventId
from stagedoor.outbox.model import OutboxRecord, OutboxState


class Outbox(Protocol):
    """The stored events."""

    async def waiting(self, *, limit: int, at: Instant) -> Sequence[OutboxRecord]:
        """
        Return the oldest records to be sent, in order.

        Whatever follows a failed record of the same subject waits behind it; a
        parked record holds up nothing.
        """
        ...

    async def published(self, event_ids: Sequence[EventId], *, at: Instant) -> None:
        """Record that these were taken by everybody. Idempotent."""
        ...

    async def failed(self, event_ids: Sequence[EventId], *, at: Instant, cause: str) -> None:
        """Count one more failed attempt; park a record after `ATTEMPTS_MAX`."""
        ...


class OutboxBacklog(Protocol):
    """What the outbox still has to do."""

    async def backlog(self) -> Mapping[OutboxState, int]:
        """Count the records that are not published, by what they wait for. Raises `Fault`."""
        ...


class OutboxLeftovers(Protocol):
    """What the outbox keeps for a while only: events that everybody has taken."""

    async def forget(self, *, published_before: Instant, limit: int) -> int:
        """
        Remove the oldest records published before *published_before*, at most *limit*; return how many.

        What waits or is parked is never removed. Raises `Fault`.
        """
        ...


class EventPublisher(Protocol):
    """Takes events out of the process, or to the subscribers in it."""

    async def publish(self, events: Sequence[DomainEvent]) -> None:
        """
        Hand over *events* in order; return when all have been taken.

        May be called again with the same events: who takes them deduplicates
        by event id. Raises `Fault` when not all were taken.
        """
        ...


class Subscriber(Protocol):
    """Acts on events inside this process."""

    async def __call__(self, events: Sequence[DomainEvent]) -> None:
        """Act on each event it cares about, once an event id, and ignore the rest."""
        ...
