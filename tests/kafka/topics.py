"""What lies on Kafka's topics, read by somebody who belongs to no group."""

from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from stagedoor.adapters.kafka.wire import read
from stagedoor.kernel.events import DomainEvent


async def records_on(bootstrap: str, topic: str) -> Sequence[ConsumerRecord]:
    """Return all that was sent to *topic* until now, partition after partition; nothing if there is no such topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        if topic not in await admin.list_topics():
            return []
    finally:
        await admin.close()
    records: list[ConsumerRecord] = []
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(consumer.assignment())
        while [each for each, end in ends.items() if await consumer.position(each) < end]:
            for found in (await consumer.getmany(timeout_ms=1_000)).values():
                records += found
    return sorted(records, key=lambda record: (record.partition, record.offset))


async def events_on(bootstrap: str, topic: str) -> Sequence[DomainEvent]:
    """Return the events on *topic*, in order for each key."""
    return [read(record.value) for record in await records_on(bootstrap, topic)]


async def send(
    bootstrap: str, topic: str, value: bytes, *, key: bytes = b"1", headers: Sequence[tuple[str, bytes]] = ()
) -> None:
    """Send something of one's own."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        await producer.send_and_wait(topic, value, key=key, headers=list(headers))
