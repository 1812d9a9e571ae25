"""Relay and consumer are killed again and again: every order arrives at least once, and is acted on exactly once."""

from functools import partial
from operator import gt

from stagedoor.adapters.kafka.wire import ORDERS
from tests.builders.events import paid
from tests.e2e.harness.until import until
from tests.kafka.house import LOOKS, EventsHouse
from tests.kafka.processes import Processes
from tests.kafka.topics import events_on

ROUNDS = 2
AT_ONCE = 300
IDS = [f"o{number:04}" for number in range(ROUNDS * AT_ONCE)]


async def test_each_order_is_told_of_exactly_once(
    house: EventsHouse, processes: Processes, kafka_bootstrap: str
) -> None:
    relay, consumer = processes.relay(), processes.consumer()
    for first in range(0, len(IDS), AT_ONCE):
        await house.led_by(relay.pid)
        for number in range(first, first + AT_ONCE):
            await house.store(paid(IDS[number], order_id=number))
        # Some have left by now, and some have not; some were acted on, and some were not.
        await until(house.waiting, partial(gt, AT_ONCE), looks=LOOKS)
        await relay.kill()
        relay = processes.relay()
        await house.told_of_more_than(first)
        await consumer.kill()
        consumer = processes.consumer()

    await house.everything_sent()
    await house.told_of(*IDS)
    sent = [event.event_id for event in await events_on(kafka_bootstrap, ORDERS)]
    assert set(sent) == set(IDS)
    assert [await relay.stop(), await consumer.stop()] == [0, 0]
    assert list(await house.told()) == IDS


async def test_what_comes_twice_is_acted_on_once(
    house: EventsHouse, processes: Processes, kafka_bootstrap: str
) -> None:
    relay = processes.relay()
    await house.store(paid("a", order_id=1), paid("b", order_id=2))
    await house.everything_sent()
    # As after a crash between sending and the note of it.
    await house.run(
        "INSERT INTO broker_outbox (event_id, subject_id, state, attempts, next_attempt_at) "
        "SELECT event_id, subject_id, 1, 0, 0 FROM outbox"
    )
    await house.everything_sent()
    await relay.stop()
    assert sorted(event.event_id for event in await events_on(kafka_bootstrap, ORDERS)) == ["a", "a", "b", "b"]
    consumer = processes.consumer()
    await house.told_of("a", "b")

    relay = processes.relay()
    await house.store(paid("c", order_id=3))
    await house.told_of("a", "b", "c")
    assert [await relay.stop(), await consumer.stop()] == [0, 0]
