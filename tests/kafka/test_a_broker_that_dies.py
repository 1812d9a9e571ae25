"""Kafka dies or hangs in the middle: what was sold waits in the outbox, and all leaves, in order, once it is back."""

import asyncio

import pytest

from scripts.services import Kafka
from stagedoor.adapters.kafka.access import BrokerFault, KafkaAccess
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
        outbox=SqlOutbox(house.lanes, Outlet.BROKER, lease=None),
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


async def test_what_a_broker_that_hangs_was_given_is_not_given_to_it_again(own_kafka: Kafka) -> None:
    publisher = KafkaPublisher(KafkaAccess(bootstrap=(own_kafka.bootstrap,)))
    await publisher.publish([paid("before", order_id=1)])
    given = [paid(f"o{number}", order_id=number) for number in range(20)]

    own_kafka.pause()
    with pytest.raises(BrokerFault, match="in time"):
        await publisher.publish(given)
    own_kafka.resume()
    while True:
        try:
            await publisher.publish(given)
        except BrokerFault:
            continue
        break
    await publisher.close()

    ids = [event.event_id for event in await events_on(own_kafka.bootstrap, ORDERS)]
    assert sorted(ids) == sorted(["before", *(event.event_id for event in given)])


async def test_who_is_told_to_stop_waits_for_no_broker(own_kafka: Kafka) -> None:
    publisher = KafkaPublisher(KafkaAccess(bootstrap=(own_kafka.bootstrap,)))
    await publisher.publish([paid("before", order_id=1)])
    own_kafka.pause()
    sending = asyncio.ensure_future(publisher.publish([paid("during", order_id=1)]))
    await asyncio.sleep(0)

    publisher.give_up()
    with pytest.raises(BrokerFault):
        await sending
    await publisher.close()
