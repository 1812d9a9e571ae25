"""A whole server that does not know what time it is to half a second: it writes nothing, says so, and recovers."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from stagedoor.adapters.sql.clock_stop import last_sign_of_life
from stagedoor.adapters.sql.seeding import seed_members
from stagedoor.adapters.sql.tables import metadata
from stagedoor.bootstrap.database import Database, opened, written
from stagedoor.bootstrap.house import House, build
from stagedoor.bootstrap.preparing import prepare
from stagedoor.bootstrap.stores import take_up_the_line
from stagedoor.http.app import create_app
from stagedoor.http.hot import HotCalls
from stagedoor.kernel.clock import MINUTE_MS, Instant, ManualClock, later
from stagedoor.kernel.followed_clock import FollowedClock, Reading
from stagedoor.kernel.money import Won
from stagedoor.settings.loading import load
from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.client import Client
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import Staged, a_room, a_show, stage_in
from tests.e2e.harness.until import until
from tests.integration.http.served import served

OFF_MS = 10_000
DRIFTS_UNSURE_MS = 17 * MINUTE_MS
"""For so long nobody need have asked the database for the time."""

PUT_OFF = (503, "503", "1")
WRITTEN = ("hold", "hold_seat", "seat_claim", "purchase", "transfer", "place", "closed_place", "line_key")
PAUSED = re.compile(r'^stagedoor_admission_paused\{cause="(\w+)"\} 1', re.MULTILINE)
HALL = a_room("hall", a_show(seats=10), max_active=2)


@dataclass(kw_only=True)
class Served:
    """A server whose time is a database server's, and which can be told when that was set back."""

    house: House
    show: Staged
    clock: FollowedClock
    own: ManualClock
    client: Client

    def fan(self, buyer_id: int) -> Fan:
        return Fan(client=self.client, buyer_id=buyer_id, room_id=HALL.id)

    def asked(self, ahead_ms: int) -> None:
        """Learn that the database's clock is *ahead_ms* ahead of this machine's."""
        now = self.own.now()
        self.clock.read(Reading(now, now, later(now, ahead_ms)))

    def set_back(self) -> None:
        """Have the database's clock set back."""
        self.clock.now()
        self.asked(-OFF_MS)

    def caught_up(self) -> None:
        """Let as much time pass."""
        self.own.advance(OFF_MS)
        self.asked(-OFF_MS)

    async def alive_at(self) -> Instant | None:
        return await self.house.stores.lanes.reading(last_sign_of_life)

    async def causes(self) -> set[str]:
        """Return what keeps people from being let in."""
        page = (await self.client.ask("GET", "//metrics")).raw.decode()
        return set(PAUSED.findall(page))

    async def may_admit(self) -> bool:
        return self.house.hindrances.may_admit()

    async def ready(self) -> Answer:
        return await self.client.ask("GET", "//readyz")

    async def rows(self) -> Mapping[str, Sequence[object]]:
        """Return all that a buyer's call may write."""

        def read(connection: Connection) -> Mapping[str, Sequence[object]]:
            return {name: connection.execute(select(metadata.tables[name])).all() for name in WRITTEN}

        return await self.house.stores.lanes.reading(read)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    flags = {"database_url": f"sqlite:///{tmp_path / 'stagedoor.db'}", "secret": "s" * 32, "identity": "demo"}
    settings = load(flags=flags | {"disk_reserve_percent": "0"}, environ={})
    own = ManualClock(Instant(now_ms()))
    clock = FollowedClock(own)
    clock.read(Reading(own.now(), own.now(), own.now()))
    async with opened(settings) as file:
        database = Database(lanes=file.lanes, clock=clock)
        await prepare(database, settings, demo=False)
        members = partial(seed_members, ids=range(1, 10), balance_won=Won(1_000_000), now=own.now())
        await written(file.lanes, members)
        programme = await written(file.lanes, lambda connection: stage_in(connection, [HALL], own.now()))
        house, services = await build(settings, database)
        await take_up_the_line(house.stores)
        app = create_app(services)
        [show] = programme.shows[HALL.id]
        async with (
            house.stores.closing,
            served(app=app, hot=HotCalls(app)) as at,
            running(house),
            Client.on(at.port) as client,
        ):
            yield Served(house=house, show=show, clock=clock, own=own, client=client)


@asynccontextmanager
async def running(house: House) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        group.create_task(house.supervisor.run())
        try:
            yield
        finally:
            house.stop()


def refusal(answer: Answer) -> tuple[int, str | None, str | None]:
    return (*answer.verdict, answer.headers.get("retry-after"))


async def test_it_refuses_to_decide_anything_and_writes_nothing(server: Served) -> None:
    holder, late = server.fan(1), server.fan(2)
    await holder.enter()
    held = await holder.reserve(server.show.schedule_id, server.show.seat_ids[0])
    server.set_back()
    before = await server.rows()

    answers = [
        await late.join(),
        await holder.reserve(server.show.schedule_id, server.show.seat_ids[1]),
        await holder.pay(held.data["reservationId"]),
        await holder.release(held.data["reservationId"]),
        await holder.leave(),
    ]

    assert [refusal(answer) for answer in answers] == [PUT_OFF] * 5
    assert await server.rows() == before


async def test_it_says_so_to_whoever_asks_whether_it_is_ready_and_to_who_waits(server: Served) -> None:
    fan = server.fan(1)
    await fan.enter()
    at_first = await server.ready()
    server.set_back()

    not_ready = await server.ready()
    polled = await until(fan.check, lambda answer: "admissionPaused" in answer.data)

    assert (at_first.status, at_first.data["parts"]["clock"]) == (200, "ok")
    assert not_ready.status == 503
    assert b"may be 10001 ms off the database's" in not_ready.raw
    assert polled.data["admissionPaused"]


async def test_it_lets_nobody_in_until_it_knows_again(server: Served) -> None:
    hindrances = server.house.hindrances
    server.set_back()

    may_admit = [hindrances.may_admit()]
    causes = await server.causes()
    server.caught_up()
    # Whatever else stands for a moment is none of this.
    may_admit.append(await until(server.may_admit, bool))

    assert may_admit == [False, True]
    assert causes == {"clock"}


async def test_it_gives_no_sign_of_life_and_what_that_took_is_given_back(server: Served) -> None:
    holder = server.fan(1)
    await holder.enter()
    held = await holder.reserve(server.show.schedule_id, server.show.seat_ids[0])
    server.own.advance(DRIFTS_UNSURE_MS)
    # Behind one that was under way, if there was one: that had begun while the time was known.
    await server.house.pulse.beat()
    before = await server.alive_at()
    server.own.advance(DRIFTS_UNSURE_MS)

    await server.house.pulse.beat()

    assert await server.alive_at() == before
    server.asked(0)
    await server.house.pulse.beat()
    assert await server.alive_at() == server.own.now()
    assert (await holder.pay(held.data["reservationId"])).ok


async def test_it_serves_again_by_itself_and_the_time_was_nobodys(server: Served) -> None:
    holder, late = server.fan(1), server.fan(2)
    await holder.enter()
    held = await holder.reserve(server.show.schedule_id, server.show.seat_ids[0])
    server.set_back()
    refused = await holder.pay(held.data["reservationId"])

    server.caught_up()

    assert refused.status == 503
    paid = await until(partial(holder.pay, held.data["reservationId"]), lambda answer: answer.status != 503)
    assert paid.ok, str(paid)
    assert (await until(late.join, lambda answer: answer.status != 503)).ok
    assert (await server.ready()).status == 200
