"""Two relays: one works, the other takes over from a dead or sleeping one, and the store refuses the sleeper."""

import asyncio
import json
import signal
from functools import partial
from pathlib import Path

from stagedoor.adapters.kafka.wire import ORDERS
from tests.builders.events import paid
from tests.e2e.harness.until import until
from tests.kafka.house import LOOKS, EventsHouse, leader_of
from tests.kafka.processes import Process, Processes
from tests.kafka.topics import events_on

SLEEPS = (str(Path(__file__).with_name("falls_asleep.py")),)
SLEEPS_UNFENCED = (str(Path(__file__).with_name("mutants") / "no_fence.py"),)


def lines_of(log: Path) -> list[dict[str, str]]:
    """Return what was logged; its last line may not be whole yet."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]


async def test_one_works_and_the_other_takes_over_when_it_dies(
    house: EventsHouse, processes: Processes, kafka_bootstrap: str
) -> None:
    first = processes.relay()
    led = await house.led_by(first.pid)
    second = processes.relay()
    await house.store(paid("before", order_id=1))
    await house.everything_sent()
    await until(house.lease, lambda seen: seen.beat > led.beat + 4, looks=LOOKS)
    assert leader_of(await house.lease()) == first.pid

    await first.kill()
    await house.store(paid("after", order_id=1))
    taken = await house.led_by(second.pid)
    await house.everything_sent()

    assert taken.fence == led.fence + 1
    ids = [event.event_id for event in await events_on(kafka_bootstrap, ORDERS)]
    assert list(dict.fromkeys(ids)) == ["before", "after"]
    assert await second.stop() == 0
    assert (await house.lease()).holder is None


async def a_sleeper_wakes(house: EventsHouse, processes: Processes, program: tuple[str, ...]) -> Process:
    """
    Let a relay fall asleep between sending and noting it, another one take over, and the first wake up.

    Meanwhile the record has come to wait again, for a long time: a note of the
    sleeper's would remove what has not left.
    """
    sleeper = processes.relay(program)
    led = await house.led_by(sleeper.pid)
    await house.store(paid("slept over", order_id=1))
    await until(partial(is_stopped, sleeper.pid), bool, looks=LOOKS)
    assert await house.waiting() == 1
    other = processes.relay()
    taken = await house.led_by(other.pid)
    assert taken.fence == led.fence + 1
    await house.everything_sent()
    await house.run(
        "INSERT INTO broker_outbox (event_id, subject_id, state, attempts, next_attempt_at) "
        "SELECT event_id, subject_id, 1, 1, 4503599627370496 FROM outbox WHERE event_id = 'slept over'"
    )

    sleeper.send_signal(signal.SIGCONT)
    return sleeper


async def is_stopped(pid: int) -> bool:
    stat = await asyncio.to_thread(Path(f"/proc/{pid}/stat").read_text)
    return stat.rpartition(")")[2].split()[0] == "T"


async def test_the_sleeper_is_refused_by_the_store(
    house: EventsHouse, processes: Processes, kafka_bootstrap: str
) -> None:
    sleeper = await a_sleeper_wakes(house, processes, SLEEPS)

    async def refusals() -> list[str]:
        return [line["cause"] for line in lines_of(sleeper.log) if line["event"] == "worker.failed"]

    assert await until(refusals, bool, looks=LOOKS) == ["somebody else has taken the lease relay.broker"]
    assert await house.waiting() == 1
    await house.store(paid("after", order_id=2))
    await until(house.waiting, lambda waiting: waiting == 1, looks=LOOKS)
    assert leader_of(await house.lease()) not in {0, sleeper.pid}
    ids = [event.event_id for event in await events_on(kafka_bootstrap, ORDERS)]
    assert sorted(ids) == ["after", "slept over", "slept over"]


async def test_control_without_the_fence_the_sleeper_loses_an_event(house: EventsHouse, processes: Processes) -> None:
    await a_sleeper_wakes(house, processes, SLEEPS_UNFENCED)

    await until(house.waiting, lambda waiting: waiting == 0, looks=LOOKS)
