"""Kafka is killed in the middle: what was sold waits in the outbox, and all of it leaves, in order, once it is back."""

import asyncio

from scripts.services import Kafka
from stagedoor.adapters.kafka.access import KafkaAccess
from stagedoor.adapters.kafka.publisher import KafkaPublisher
from stagedoor.adapters.kafka.wire import HOLDS, ORDERS
from stagedoor.adapters.sql.outbox import SqlOutbox
from stagedoor.kernel.clock import ManualClock
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.lease import OnlyProcess
from stagedoor.outbox.model import Outlet
from stagedoor.workers.relay import RelayEvents
from tests.builders.events import paid, placed
from tests.builders.sale import NOON
from tests.kafka.house import EventsHouse
from tests.kafka.topics import events_on

SOLD = 300
DIES_AT, COMES_BACK_AT = 100, 200


async def sell(house: EventsHouse, first: int, last: int) -> None:
    for number in range(first, last):
        await house.store(placed(f"p{number:03}", hold_id=number + 1_000), paid(f"o{number:03}", order_id=number))


async def relayed(relay: RelayEvents) -> int:
    """Relay once; an outage relays nothing."""
    try:
        return await relay()
    except Fault:
        return 0


async def test_all_leave_in_order_and_no_record_is_blamed(house: EventsHouse, own_kafka: Kafka) -> None:
    publisher = KafkaPublisher(KafkaAccess(bootstrap=(own_kafka.bootstrap,)))
    relay = RelayEvents(
        outbox=SqlOutbox(house.file, Outlet.BROKER, lease=None),
        publisher=publisher,
        clock=ManualClock(NOON),
        leads=OnlyProcess(),
    )
    await sell(house, 0, DIES_AT)
    while await house.waiting():
        await relayed(relay)

    relaying = asyncio.ensure_future(relayed(relay))
    await sell(house, DIES_AT, COMES_BACK_AT)
    await asyncio.to_thread(own_kafka.kill)
    await relaying
    waiting = await house.waiting()
    assert await relayed(relay) == 0
    await sell(house, COMES_BACK_AT, SOLD)
    assert await house.waiting() == waiting + 2 * (SOLD - COMES_BACK_AT)
    assert await house.failed() == 0

    await asyncio.to_thread(own_kafka.start)
    while await house.waiting():
        await relayed(relay)
    await publisher.close()

    orders = [event.event_id for event in await events_on(own_kafka.bootstrap, ORDERS)]
    holds = [event.event_id for event in await events_on(own_kafka.bootstrap, HOLDS)]
    assert set(orders) == {f"o{number:03}" for number in range(SOLD)}
    assert set(holds) == {f"p{number:03}" for number in range(SOLD)}
    assert (await house.failed(), await house.parked()) == (0, 0)
