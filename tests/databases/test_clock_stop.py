"""Many processes give signs of life in one row: what they all missed is given back once, and each hears of it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, text

from stagedoor.adapters.sql.clock_stop import SqlClockStop
from stagedoor.adapters.sql.server_lanes import ServerLanes
from stagedoor.kernel.clock import GAP_MS, MINUTE_MS, ManualClock, Outage, ServiceClock, later
from tests.builders.sale import ANN, BOB, DEADLINE, kinds, pay, reserve
from tests.builders.store import House


class Process:
    """What of a process the clock stop knows."""

    def __init__(self, lanes: ServerLanes, clock: ManualClock) -> None:
        self.heard: list[Outage] = []
        self.service_clock = ServiceClock(clock)
        self.clock_stop = SqlClockStop(
            lanes,
            clock,
            self.service_clock,
            credit_max_ms=30 * MINUTE_MS,
            first_gap_ms=GAP_MS,
            given_back=self.heard.append,
        )


@pytest.fixture
async def processes(database: str, lanes: ServerLanes, clock: ManualClock) -> AsyncIterator[list[Process]]:
    """Three processes that have all given a sign of life."""
    others = [ServerLanes(database) for _ in range(2)]
    made = [Process(each, clock) for each in (lanes, *others)]
    await asyncio.gather(*(process.clock_stop.beat() for process in made))
    yield made
    for each in others:
        await each.close()


def outages(connection: Connection) -> int:
    return connection.scalar(text("SELECT COUNT(*) FROM outage")) or 0


async def test_the_first_of_all_begin_at_once(processes: list[Process], lanes: ServerLanes) -> None:
    assert await lanes.reading(lambda connection: connection.scalar(text("SELECT COUNT(*) FROM clock_stop"))) == 1
    assert [process.heard for process in processes] == [[], [], []]


async def test_what_all_missed_is_given_back_once_and_each_hears_of_it(
    processes: list[Process], house: House, lanes: ServerLanes, clock: ManualClock
) -> None:
    await house.batch(reserve(ANN, 1, 2), reserve(BOB, 3))
    clock.advance(MINUTE_MS)

    await asyncio.gather(*(process.clock_stop.beat() for process in processes))

    assert await lanes.reading(outages) == 1
    [hold] = await house.records.holds_of(ANN, limit=1)
    assert hold.expires_at == later(DEADLINE, MINUTE_MS)
    assert [[outage.credited_ms for outage in process.heard] for process in processes] == [[MINUTE_MS]] * 3
    assert kinds([await house.one(pay(ANN))]) == ["Settled"]
    await house.check()


async def test_who_slept_while_others_served_gets_nothing_back(
    processes: list[Process], house: House, lanes: ServerLanes, clock: ManualClock
) -> None:
    await house.one(reserve(ANN, 1))
    sleeper, *awake = processes
    for _ in range(20):
        clock.advance(GAP_MS // 4)
        await asyncio.gather(*(process.clock_stop.beat() for process in awake))

    assert sleeper.service_clock.stands
    await sleeper.clock_stop.beat()

    assert not sleeper.service_clock.stands
    assert await lanes.reading(outages) == 0


async def test_who_starts_beside_others_gives_nothing_back(
    processes: list[Process], house: House, lanes: ServerLanes, clock: ManualClock
) -> None:
    await house.one(reserve(ANN, 1))
    assert len(processes) == 3
    clock.advance(100)

    assert await Process(lanes, clock).clock_stop.beat() == 0

    assert await lanes.reading(outages) == 0


async def test_a_sale_that_goes_on_meanwhile_is_given_back_whole(
    processes: list[Process], house: House, clock: ManualClock
) -> None:
    """Giving back locks as a batch does: neither is undone, and each hold has the time that it missed, or is over."""
    await house.batch(*(reserve(number, number) for number in range(1, 31)))
    clock.advance(MINUTE_MS)

    await asyncio.gather(
        processes[0].clock_stop.beat(),
        *(house.batch(*(pay(number) for number in range(first, 31, 3))) for first in (1, 2, 3)),
    )

    assert len([event for event in await house.events() if event == "OrderPaid"]) == 30
    await house.check()
