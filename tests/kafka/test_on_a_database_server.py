"""Relay and consumer beside a database server: killed, followed, and every paid order told of exactly once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.services import MariaDB, PostgreSQL
from scripts.services.__main__ import as_setting
from stagedoor.adapters.kafka.wire import ORDERS
from tests.builders.events import paid
from tests.builders.server_store import open_server, prepare
from tests.engines.fixtures import held
from tests.kafka.house import EventsHouse
from tests.kafka.processes import processes_on
from tests.kafka.topics import events_on

IDS = [f"o{number:03}" for number in range(200)]
NO_REDIS = "redis://127.0.0.1:1/0"  # a server needs one; what is tested here never asks it


@pytest.fixture(params=[MariaDB, PostgreSQL], ids=["mariadb", "postgres"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    for server in held(request.param()):
        url = server.new_database()
        asyncio.run(prepare(url))
        yield url


async def test_another_relay_follows_and_each_order_is_told_of_once(
    database_url: str, tmp_path: Path, kafka_bootstrap: str
) -> None:
    settings = {"DATABASE_URL": as_setting(database_url), "REDIS_URL": NO_REDIS}
    async with open_server(database_url) as lanes:
        with processes_on(tmp_path / "none.db", kafka_bootstrap, **settings) as processes:
            house = EventsHouse(lanes)
            first = processes.relay()
            led = await house.led_by(first.pid)
            second, consumer = processes.relay(), processes.consumer()
            await house.store(*(paid(each, order_id=number) for number, each in enumerate(IDS[:100])))
            await first.kill()
            await house.store(*(paid(each, order_id=number) for number, each in enumerate(IDS[100:])))

            assert (await house.led_by(second.pid)).fence == led.fence + 1
            await house.everything_sent()
            await house.told_of(*IDS)
            assert [await second.stop(), await consumer.stop()] == [0, 0]
            assert (await house.lease()).holder is None

    # Two of each order, in the order in which they were stored, whatever was sent twice.
    sent: dict[int, list[str]] = {}
    for event in await events_on(kafka_bootstrap, ORDERS):
        sent.setdefault(event.subject_id, []).append(event.event_id)
    assert [list(dict.fromkeys(ids)) for _, ids in sorted(sent.items())] == [
        list(pair) for pair in zip(IDS[:100], IDS[100:], strict=True)
    ]
