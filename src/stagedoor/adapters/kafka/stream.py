"""What a consumer group reads from Kafka, with offsets that are committed by hand, after the effect."""

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from stagedoor.adapters.kafka.access import KafkaAccess, Topic, faults_told, make_topics
from stagedoor.adapters.kafka.dead_letters import DEAD_TOPIC, RETRY, RETRY_TOPIC, letter_of
from stagedoor.adapters.kafka.sender import KafkaSender
from stagedoor.adapters.kafka.wire import ORDERS, Unreadable, read
from stagedoor.outbox.model import Delivery
from stagedoor.outbox.ports import EventStream

GROUP = "stagedoor.notifications"
SESSION_MS = 6_000
"""For so long a consumer that was killed keeps its share of the work; brokers allow no less unless told to."""

TAKE_MS = 250
"""So long a look waits for the first message; also how soon a consumer that is told to stop does."""


class KafkaStream(EventStream):
    """The paid orders as the consumer `notifications` is sent them, those to be tried again among them."""

    def __init__(self, access: KafkaAccess) -> None:
        """Reach nobody before the first look."""
        self._access = access
        self._dead = KafkaSender(access, (DEAD_TOPIC,))
        self._consumer: AIOKafkaConsumer | None = None
        self._taken: dict[str, ConsumerRecord[Any, Any]] = {}

    async def take(self, *, limit: int) -> Sequence[Delivery]:
        """Return what comes next."""
        consumer = self._consumer or await self._started()
        with faults_told():
            found = await consumer.getmany(timeout_ms=TAKE_MS, max_records=limit)
        records = [record for of_partition in found.values() for record in of_partition]
        self._taken |= {_origin(record): record for record in records}
        return [_delivery(record) for record in records]

    async def done(self, deliveries: Sequence[Delivery]) -> None:
        """Commit the offsets behind *deliveries*."""
        assert self._consumer is not None
        ends: dict[TopicPartition, int] = {}
        for delivery in deliveries:
            record = self._taken.pop(delivery.origin)
            partition = TopicPartition(record.topic, record.partition)
            ends[partition] = max(ends.get(partition, 0), record.offset + 1)
        with faults_told():
            try:
                await self._consumer.commit(ends)
            except (CommitFailedError, IllegalStateError):
                # Another consumer of the group has been given these partitions. It acts on all of it once more, and
                # finds that it was done.
                return

    def rewind(self) -> None:
        """Go back to the first message that is not done."""
        starts: dict[TopicPartition, int] = {}
        for record in self._taken.values():
            partition = TopicPartition(record.topic, record.partition)
            starts[partition] = min(starts.get(partition, record.offset), record.offset)
        self._taken.clear()
        for partition, offset in starts.items():
            if self._consumer is not None and partition in self._consumer.assignment():
                self._consumer.seek(partition, offset)

    async def set_aside(self, delivery: Delivery, *, cause: str, attempts: int) -> None:
        """Put the message into the topic of dead letters."""
        record = self._taken[delivery.origin]
        await self._dead.send([letter_of(record, origin=delivery.origin, cause=cause, attempts=attempts)])

    async def close(self) -> None:
        """Leave the group, so that whoever is left takes over at once."""
        if self._consumer is not None:
            await self._consumer.stop()
        await self._dead.close()

    async def _started(self) -> AIOKafkaConsumer:
        await make_topics(self._access, (Topic(name=ORDERS), DEAD_TOPIC, RETRY_TOPIC))
        consumer = AIOKafkaConsumer(
            ORDERS,
            RETRY,
            **self._access.options(),
            group_id=GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=SESSION_MS // 3,
        )
        with faults_told():
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
        self._consumer = consumer
        return consumer


def _origin(record: ConsumerRecord[Any, Any]) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


def _delivery(record: ConsumerRecord[Any, Any]) -> Delivery:
    try:
        return Delivery(origin=_origin(record), event=read(record.value))
    except Unreadable as defect:
        return Delivery(origin=_origin(record), event=None, defect=str(defect))
