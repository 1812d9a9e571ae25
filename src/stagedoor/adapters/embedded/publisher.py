"""Events handed to subscribers in this process, each subscriber in turn."""

from collections.abc import Sequence
from dataclasses import dataclass

from stagedoor.kernel.errors import Fault
from stagedoor.kernel.events import DomainEvent
from stagedoor.outbox.ports import EventPublisher, NotTaken, Subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class InProcessPublisher(EventPublisher):
    """Gives every event to every subscriber; taken when all of them have returned."""

    subscribers: tuple[Subscriber, ...]

    async def publish(self, events: Sequence[DomainEvent]) -> None:
        """Hand *events* to each subscriber. Raises `Fault` where one cannot act, `NotTaken` where one fails."""
        for subscriber in self.subscribers:
            try:
                await subscriber(events)
            except Fault:
                # A store is down: no event is to blame for that, and none is parked for it.
                raise
            except Exception as error:
                # A subscriber's own bug must not stop the events behind it: the relay counts it and parks the record.
                raise NotTaken(f"{type(subscriber).__name__}: {error}") from error
