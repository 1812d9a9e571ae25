"""What the relay needs: the records that wait, and somebody to give them to."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import EventId
from stagedoor.kernel.lease import Fence
from stagedoor.outbox.model import Delivery, OutboxRecord, OutboxState, ParkedRecord


class NotTaken(Fault):
    """
    An event cannot be taken, whoever gives it and whenever.

    Any other `Fault` says that nobody can take anything just now: an outage, of which no event is guilty.
    """


class Outbox(Protocol):
    """The stored events on their way to one outlet."""

    async def waiting(self, *, limit: int, at: Instant) -> Sequence[OutboxRecord]:
        """
        Return the oldest records to be sent, in order.

        Whatever follows a failed record of the same subject waits behind it; a
        parked record holds up nothing.
        """
        ...

    async def published(self, event_ids: Sequence[EventId], *, at: Instant, fence: Fence) -> None:
        """Record that these were taken by everybody. Idempotent. Raises `LeaseLost` where *fence* is an old one."""
        ...

    async def failed(self, event_ids: Sequence[EventId], *, at: Instant, cause: str, fence: Fence) -> None:
        """Count one more failed attempt; park a record after `ATTEMPTS_MAX`. Raises `LeaseLost`, as above."""
        ...


class OutboxBacklog(Protocol):
    """What the outbox still has to do for one outlet."""

    async def backlog(self) -> Mapping[OutboxState, int]:
        """Count the records that are not published, by what they wait for. Raises `Fault`."""
        ...


class ParkedRecords(Protocol):
    """What was set aside on its way to one outlet."""

    async def parked(self, *, limit: int) -> Sequence[ParkedRecord]:
        """Return the oldest parked records. Raises `Fault`."""
        ...

    async def send_again(self, event_ids: Sequence[EventId], *, at: Instant) -> Sequence[EventId]:
        """Let these wait to be sent as if they had never failed; return those that were parked. Raises `Fault`."""
        ...


class OutboxLeftovers(Protocol):
    """What the outbox keeps for a while only: events that have left by every outlet."""

    async def forget(self, *, published_before: Instant, limit: int) -> int:
        """
        Remove the oldest records published before *published_before*, at most *limit*; return how many.

        What waits or is parked is never removed, by whichever outlet. However
        much of that there is, a call looks through a bounded stretch, and the
        next one goes on behind it: 0 may mean that all of a stretch has to
        stay. Raises `Fault`.
        """
        ...


class EventPublisher(Protocol):
    """Takes events out of the process, or to the subscribers in it."""

    async def publish(self, events: Sequence[DomainEvent]) -> None:
        """
        Hand over *events* in order; return when all have been taken.

        May be called again with the same events: who takes them deduplicates
        by event id. Raises `NotTaken` where one of them cannot be taken, and
        any other `Fault` where nobody can take anything just now; some may
        have been taken all the same.
        """
        ...


class Subscriber(Protocol):
    """Acts on events inside this process."""

    async def __call__(self, events: Sequence[DomainEvent]) -> None:
        """
        Act on each event it cares about, once an event id, and ignore the rest.

        Raises `Fault` where it cannot act just now; anything else is a defect, or an event that nobody can act on.
        """
        ...


class EventStream(Protocol):
    """What one consumer is sent by a broker: at least once, in order for each subject."""

    async def take(self, *, limit: int) -> Sequence[Delivery]:
        """Return what comes next, after a short wait perhaps nothing. Raises `Fault`."""
        ...

    async def done(self, deliveries: Sequence[Delivery]) -> None:
        """
        Remember *deliveries*, the first of what was taken, as acted on: they do not come again.

        Raises `Fault`: then they may.
        """
        ...

    def rewind(self) -> None:
        """Let what was taken and is not done come again."""
        ...

    async def set_aside(self, delivery: Delivery, *, cause: str, attempts: int) -> None:
        """Keep *delivery* with the dead letters, where somebody looks at it. Raises `Fault`."""
        ...
