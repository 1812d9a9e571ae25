"""Events to Kafka, in order for each order and each hold."""

from collections.abc import Sequence

from stagedoor.adapters.kafka.access import KafkaAccess, Topic
from stagedoor.adapters.kafka.sender import KafkaSender
from stagedoor.adapters.kafka.wire import HOLDS, ORDERS, message
from stagedoor.kernel.events import DomainEvent
from stagedoor.outbox.ports import EventPublisher

EVENT_TOPICS = (Topic(name=ORDERS), Topic(name=HOLDS))


class KafkaPublisher(EventPublisher):
    """Publishes to the topics of `wire`, which it makes where they are missing."""

    def __init__(self, access: KafkaAccess) -> None:
        """Reach nobody before the first event."""
        self._sender = KafkaSender(access, EVENT_TOPICS)

    async def publish(self, events: Sequence[DomainEvent]) -> None:
        """Send *events* in order, and wait until all replicas have them. Raises `NotTaken` for one too large."""
        await self._sender.send([message(event) for event in events])

    def give_up(self) -> None:
        """Wait for the brokers no more: what they do not have is in the outbox."""
        self._sender.give_up()

    async def close(self) -> None:
        """Let go of the brokers."""
        await self._sender.close()
