"""One clock judges deadlines, the database's: Redis's may be anything, and who does not know that one serves nobody."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as Operator

from stagedoor.adapters.redis.log_entries import Joins, UsedUp, decode
from tests.cluster.conftest import Open
from tests.cluster.evening import Cluster
from tests.cluster.moved_clocks import DATABASE_MOVED_MS
from tests.e2e.harness.answers import Answer
from tests.e2e.harness.client import Client
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.until import until
from tests.integration_redis.moved_redis import MOVED_MS

PROGRAM = (str(Path(__file__).with_name("moved_clocks.py")),)
FAR_MS = 600_000
BACK_MS = 6_000
SESSION_S = 60
IDLE_S = 3
PUT_OFF = (503, "503", "1")
HALL = a_room("hall", a_show(seats=10), max_active=2, session_max_ms=1_000 * SESSION_S, idle_timeout_ms=1_000 * IDLE_S)


@pytest.fixture
def operator(redis_url: str) -> Operator:
    return Operator.from_url(redis_url)


@pytest.fixture
def by_ms(database_url: str) -> int:
    """Ahead beside one database, behind beside the other: which of them it is makes no difference to a clock."""
    return FAR_MS if database_url.startswith("mariadb") else -FAR_MS


async def buy(fan: Fan, cluster: Cluster, which: int) -> None:
    """Take a seat, be gone for longer than anybody may be who holds none, and pay."""
    seat_id = cluster.show(HALL.id).seat_ids[which]
    held = await fan.reserve(cluster.show(HALL.id).schedule_id, seat_id)
    assert held.ok, str(held)
    await asyncio.sleep(IDLE_S + 1)
    still = await fan.check()
    assert still.data["status"] == "PROGRESS", str(still)
    assert (await fan.pay(held.data["reservationId"])).ok


async def an_evening(cluster: Cluster, operator: Operator) -> None:
    """Buy while Redis's clock is wrong, and after it was set right in the middle of it."""
    async with cluster.client() as client:
        one, other = cluster.fans(2, client, HALL.id)
        inside = await one.enter()
        assert SESSION_S - 20 < inside.data["expiresInSeconds"] <= SESSION_S
        await buy(one, cluster, 0)
        await other.enter()
        operator.set(MOVED_MS, 0)
        await buy(other, cluster, 1)
        # A jump is no outage: nothing was given back.
        inside = await one.enter_anew()
        assert SESSION_S - 20 < inside.data["expiresInSeconds"] <= SESSION_S


def test_it_does_not_matter_what_time_redis_thinks_it_is(cluster: Open, operator: Operator, by_ms: int) -> None:
    operator.set(MOVED_MS, by_ms)
    with cluster(2, HALL, program=PROGRAM) as opened:
        asyncio.run(an_evening(opened, operator))

        assert asyncio.run(opened.checked())


async def an_order(cluster: Cluster) -> None:
    """Come, and buy."""
    async with cluster.client() as client:
        fan = cluster.fan(client, HALL.id)
        inside = await fan.enter()
        assert SESSION_S - 20 < inside.data["expiresInSeconds"] <= SESSION_S
        await buy(fan, cluster, 0)


def test_what_time_it_is_for_the_line_is_what_the_database_says(
    cluster: Open, monkeypatch: pytest.MonkeyPatch, by_ms: int
) -> None:
    monkeypatch.setenv(DATABASE_MOVED_MS, str(by_ms))

    with cluster(2, HALL, program=PROGRAM) as opened:
        asyncio.run(an_order(opened))


def refusal(answer: Answer) -> tuple[int, str | None, str | None]:
    return (*answer.verdict, answer.headers.get("retry-after"))


def decided(operator: Operator) -> int:
    """Return how much stands in the line's log that somebody was told."""
    found: Any = operator.xrange(f"stagedoor:{{{HALL.id}}}:log")
    return sum(isinstance(decode(fields[b"e"]), Joins | UsedUp) for _, fields in found)


async def set_back(cluster: Cluster, operator: Operator, folder: Path) -> None:
    """Set the database's clock back, as one process sees it, while somebody holds a seat there."""
    async with Client.on(cluster.servers[0].port) as client:
        holder, late = cluster.fans(2, client, HALL.id)
        show = cluster.show(HALL.id)
        await holder.enter()
        held = await holder.reserve(show.schedule_id, show.seat_ids[0])
        ready = partial(client.ask, "GET", "//readyz")
        before = decided(operator)

        (folder / DATABASE_MOVED_MS).write_text(str(-BACK_MS))
        not_ready = await until(ready, lambda answer: answer.status == 503)
        answers = [
            await late.join(),
            await holder.reserve(show.schedule_id, show.seat_ids[1]),
            await holder.pay(held.data["reservationId"]),
        ]
        polled = await until(holder.check, lambda answer: "admissionPaused" in answer.data)

        assert b"off the database's" in not_ready.raw
        assert [refusal(answer) for answer in answers] == [PUT_OFF] * 3
        assert decided(operator) == before
        assert (polled.data["status"], polled.data["stale"]) == ("PROGRESS", True)
        # By then as much time has passed.
        await until(ready, lambda answer: answer.status == 200)
        paid = await until(partial(holder.pay, held.data["reservationId"]), lambda answer: answer.status != 503)
        assert paid.ok, str(paid)
        assert (await until(late.enter, lambda answer: answer.ok)).data["status"] == "PROGRESS"


def test_who_does_not_know_what_time_it_is_serves_nobody_until_it_does(
    cluster: Open, operator: Operator, tmp_path: Path
) -> None:
    with cluster(1, HALL, program=PROGRAM) as opened:
        asyncio.run(set_back(opened, operator, tmp_path / "process-1"))

        log = opened.servers[0].log.read_text()

    assert log.count("clock.unsure") == 1
