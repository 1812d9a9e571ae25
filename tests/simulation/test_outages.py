"""
500 buyers hold seats, each since another moment, and then nobody can buy for 47 seconds: each has all of it back.

The whole server runs, in virtual time, so 47 seconds cost nothing and are the
same each time. How long nobody could buy is what somebody finds who tries all
the time; the server's own bookkeeping is not asked.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import create_engine

from stagedoor.adapters.sql.clock_stop import SqlClockStop
from stagedoor.adapters.sql.seeding import Hall, PerformancePlan, Section, seed_members, seed_performance
from stagedoor.checkout.outcomes import WalletReceipt
from stagedoor.kernel.clock import DAY_MS, HOUR_MS, Instant, later
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId, PlaceRef, SeatId
from stagedoor.kernel.money import Won
from stagedoor.resilience.breaker import ON_SALE, State
from stagedoor.resilience.breakers import Instance
from stagedoor.settings import Settings
from stagedoor.waiting_room.model import Standing
from stagedoor.waiting_room.use_cases import PlaceStatus
from tests.builders.line import taken
from tests.builders.sale import NOON
from tests.builders.store import before_the_sale
from tests.e2e.harness.until import until
from tests.simulation.disk import Commit, Disk
from tests.simulation.process import Server, Story, live, seeded, settings_for

HOLDERS = 500
FIRST_BUYER = 1_001
TRIES = BuyerId(1)
SILENT = BuyerId(2)
OUTAGE_S = 47.0
SHORT_OUTAGE_S = 6.0
BETWEEN_S = 1.5
SUM_MAX_S = 50
STAY_MS = 100_000
"""Longer than what is between ten short outages, and what of them nobody is given back."""
WAIT_S = ON_SALE.wait_duration_in_open_state_ms / 1_000
EXACT_MS = 250
A_SPELL_MS = 1_000
TRY_EVERY_S = 0.05
APART_S = 0.595
"""The first hold has a second left when the outage begins."""

Ends = Mapping[tuple[str, int], int]
"""When each open hold and each running session ends."""


def settings_over(database: Path, **more: float) -> Settings:
    figures = {"max_active": HOLDERS + 1, "session_max_seconds": 3_600, "idle_timeout_seconds": 30}
    return settings_for(database, **figures, **more)


def ends(database: Path) -> Ends:
    with closing(sqlite3.connect(database)) as reader:
        holds = reader.execute("SELECT id, expires_at FROM hold WHERE state = 1").fetchall()
        passes = reader.execute("SELECT number, session_ends_at FROM admission_pass WHERE ended_at IS NULL").fetchall()
    return {("hold", id_): at for id_, at in holds} | {("pass", number): at for number, at in passes}


def extensions(database: Path) -> Ends:
    with closing(sqlite3.connect(database)) as reader:
        return {("hold", id_): by_ms for id_, by_ms in reader.execute("SELECT id, extended_ms FROM hold").fetchall()}


def first_outage_ms(database: Path) -> int:
    with closing(sqlite3.connect(database)) as reader:
        return int(reader.execute("SELECT credited_ms FROM outage ORDER BY id LIMIT 1").fetchone()[0])


class Crowd:
    """A database in which all hold their seats, somebody inside who holds none, and when that was."""

    def __init__(self, folder: Path) -> None:
        database = folder / "crowd.db"
        self.silent: PlaceRef | None = None
        self._write_the_programme(database)
        self.until_s = live(settings_over(database), self._come)
        self.contents = database.read_bytes()

    def _write_the_programme(self, database: Path) -> None:
        database.write_bytes(before_the_sale())
        section = Section(name="A", rows=1, seats_per_row=HOLDERS, zone="standing", price_won=Won(10_000))
        starts_at = later(NOON, DAY_MS)
        plan = PerformancePlan(
            room_id=MAIN_ROOM,
            title="Crowded",
            hall=Hall(venue="The barn", sections=(section,)),
            starts_at=starts_at,
            ends_at=later(starts_at, HOUR_MS),
            time_zone="Asia/Seoul",
        )
        engine = create_engine(f"sqlite:///{database}")
        with engine.begin() as connection:
            seed_members(connection, range(FIRST_BUYER, FIRST_BUYER + HOLDERS), balance_won=Won(50_000), now=NOON)
            self._performance_id = seed_performance(connection, plan)
        engine.dispose()
        with closing(sqlite3.connect(database)) as reader:
            rows = reader.execute("SELECT id FROM seat WHERE performance_id = ?", (self._performance_id,))
            self._seat_ids = [SeatId(seat_id) for (seat_id,) in rows]

    async def _come(self, server: Server) -> None:
        buyers = [BuyerId(FIRST_BUYER + nth) for nth in range(HOLDERS)]
        places = await asyncio.gather(*(self._enter(server, buyer_id) for buyer_id in buyers))
        for buyer_id, ref, seat_id in zip(buyers, places, self._seat_ids, strict=True):
            # The pass of somebody who has not held yet ends by silence.
            for still_here in places:
                server.services.check_place.check(still_here)
            await server.services.reserve_seats.reserve(
                ref=ref, buyer_id=buyer_id, performance_id=self._performance_id, seat_ids=[seat_id], key=None
            )
            await asyncio.sleep(APART_S)
        self.silent = await self._enter(server, SILENT)

    async def _enter(self, server: Server, buyer_id: BuyerId) -> PlaceRef:
        joined = await taken(server.services.issue_token.issue(buyer_id=buyer_id, room_id=MAIN_ROOM, key=None))
        ref = joined.place.ref

        async def check() -> PlaceStatus:
            return server.services.check_place.check(ref)

        await until(check, lambda status: status.place.standing is Standing.ADMITTED)
        return ref


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Crowd:
    with seeded(Random(1)) as bugs:
        crowd = Crowd(tmp_path_factory.mktemp("crowd"))
    assert bugs == []
    return crowd


class Aftermath:
    """What an outage has left: how long it was to somebody who tried, and by how much each end has been moved."""

    def __init__(self, crowd: Crowd, database: Path) -> None:
        database.write_bytes(crowd.contents)
        self.database = database
        self.before: Ends = {}
        self.after: Ends = {}
        self.went_well: list[Instant] = []
        self.silent_stands: Standing | None = None
        self._silent = crowd.silent

    @property
    def outage_ms(self) -> int:
        """For how long nothing went well; a breaker that opens once more makes two spells of it."""
        return sum(after - before for before, after in pairwise(self.went_well) if after - before > A_SPELL_MS)

    def wrong(self) -> Iterator[str]:
        """Say of each hold and session that was not moved by the outage, by how much it was."""
        for what, end in self.before.items():
            moved = self.after[what] - end if what in self.after else None
            if moved is None or abs(moved - self.outage_ms) > EXACT_MS:
                yield f"{what} was moved by {moved} ms, and nothing went well for {self.outage_ms}"

    async def watch(self, server: Server, outage: Callable[[Server], Awaitable[None]]) -> None:
        """Try all the time while *outage* comes and goes, until things have gone well again for a while."""
        self.before = self.before or ends(self.database)
        async with asyncio.TaskGroup() as group:
            tries = group.create_task(self._try(server))
            await asyncio.sleep(1.0)
            await outage(server)
            well = len(self.went_well)
            await until(self._times_it_went_well, lambda times: times > well + 10, looks=2_000)
            assert self._silent is not None
            self.silent_stands = server.services.check_place.check(self._silent).place.standing
            tries.cancel()
        self.after = ends(self.database)

    async def _times_it_went_well(self) -> int:
        return len(self.went_well)

    async def _try(self, server: Server) -> None:
        sale = server.services.breakers.of(Instance.SALE)
        while True:
            try:
                with sale.call():
                    await server.services.charge.charge(buyer_id=TRIES, amount_won=Won(1), key=None)
            except Fault:
                pass
            else:
                self.went_well.append(server.clock.now())
            await asyncio.sleep(TRY_EVERY_S)


async def the_process_stands_still(server: Server) -> None:
    server.loop.stand_still(OUTAGE_S)


async def nothing_can_be_begun(server: Server) -> None:
    server.disk.locked = 1 << 40
    await asyncio.sleep(OUTAGE_S)
    server.disk.locked = 0


async def every_commit_fails(server: Server) -> None:
    server.disk.commits = deque([Commit.FAILS] * 100_000)
    await asyncio.sleep(OUTAGE_S)
    server.disk.commits.clear()


async def the_disk_hangs(server: Server) -> None:
    usual_s, server.disk.latency_s = server.disk.latency_s, OUTAGE_S
    await asyncio.sleep(0.2)
    server.disk.latency_s = usual_s
    await asyncio.sleep(OUTAGE_S - 0.2)


async def an_operator_stops_the_sale(server: Server) -> None:
    server.services.breakers.of(Instance.SALE).transition_to(State.FORCED_OPEN)
    await asyncio.sleep(OUTAGE_S)
    server.services.breakers.of(Instance.SALE).reset()


async def the_breaker_before_the_sale_opens(server: Server) -> None:
    server.services.breakers.of(Instance.SALE).transition_to(State.OPEN)
    await asyncio.sleep(WAIT_S)


async def it_opens_again_and_again(server: Server) -> None:
    """Let the trial calls fail once, so that it opens anew the moment its wait is over."""
    sale = server.services.breakers.of(Instance.SALE)
    sale.transition_to(State.OPEN)
    await asyncio.sleep(WAIT_S + 0.001)
    for permit in [sale.acquire() for _ in range(sale.settings.permitted_number_of_calls_in_half_open_state)]:
        sale.record_error(permit, 0, Fault("still out"))
    assert sale.state is State.OPEN


@pytest.mark.parametrize(
    ("outage", "least_s"),
    [
        (the_process_stands_still, OUTAGE_S),
        (nothing_can_be_begun, OUTAGE_S),
        (every_commit_fails, OUTAGE_S),
        (the_disk_hangs, OUTAGE_S),
        (an_operator_stops_the_sale, OUTAGE_S),
        (the_breaker_before_the_sale_opens, WAIT_S),
        (it_opens_again_and_again, 2 * WAIT_S),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_holder_has_the_outage_back(
    crowd: Crowd, tmp_path: Path, outage: Callable[[Server], Awaitable[None]], least_s: float
) -> None:
    after = Aftermath(crowd, tmp_path / "outage.db")
    with seeded(Random(2)) as bugs:
        live(settings_over(after.database), lambda server: after.watch(server, outage), started_s=crowd.until_s)

    assert len(after.before) == 2 * HOLDERS + 1
    assert after.outage_ms >= least_s * 1_000
    assert list(after.wrong()) == []
    assert after.silent_stands is Standing.ADMITTED
    assert bugs == []


async def nothing(_server: Server) -> None:
    """Let everything go well."""


async def locked_then_killed(server: Server) -> None:
    server.disk.locked = 1 << 40
    await asyncio.sleep(OUTAGE_S / 2)
    server.disk.die()


async def stopped_then_killed(server: Server) -> None:
    server.services.breakers.of(Instance.SALE).transition_to(State.FORCED_OPEN)
    await asyncio.sleep(OUTAGE_S / 2)
    server.disk.die()


@pytest.mark.parametrize("outage", [locked_then_killed, stopped_then_killed], ids=lambda outage: outage.__name__)
def test_also_where_the_server_dies_in_the_middle_of_it(
    crowd: Crowd, tmp_path: Path, outage: Callable[[Server], Awaitable[None]]
) -> None:
    after = Aftermath(crowd, tmp_path / "outage.db")
    with seeded(Random(3)) as bugs:
        settings = settings_over(after.database)
        died_s = live(
            settings,
            lambda server: after.watch(server, outage),
            disk=Disk(after.database),
            started_s=crowd.until_s,
        )
        back: Story = lambda server: after.watch(server, nothing)  # noqa: E731 -- one line
        live(settings, back, started_s=died_s + OUTAGE_S / 2)

    assert after.outage_ms >= OUTAGE_S * 1_000
    assert list(after.wrong()) == []
    assert after.silent_stands is Standing.ADMITTED
    assert bugs == []


async def the_last_trial_of_the_line(server: Server) -> None:
    """Leave the breaker before the line one trial, which is a tick of admission, and come."""
    queue = server.services.breakers.of(Instance.QUEUE)
    queue.transition_to(State.OPEN)
    queue.transition_to(State.HALF_OPEN)
    for _ in range(queue.settings.permitted_number_of_calls_in_half_open_state - 1):
        queue.record_success(queue.acquire(), 0)
    ref = (await taken(server.services.issue_token.issue(buyer_id=TRIES, room_id=MAIN_ROOM, key=None))).place.ref

    async def standing() -> Standing:
        return server.services.check_place.check(ref).place.standing

    await until(standing, lambda seen: seen is Standing.ADMITTED)
    assert queue.state is State.CLOSED


async def out_ten_times(server: Server) -> None:
    sale = server.services.breakers.of(Instance.SALE)
    for _ in range(10):
        sale.transition_to(State.FORCED_OPEN)
        await asyncio.sleep(SHORT_OUTAGE_S)
        sale.reset()
        await asyncio.sleep(BETWEEN_S)


async def out_five_times_then_killed(server: Server) -> None:
    sale = server.services.breakers.of(Instance.SALE)
    for _ in range(4):
        sale.transition_to(State.FORCED_OPEN)
        await asyncio.sleep(SHORT_OUTAGE_S)
        sale.reset()
        await asyncio.sleep(BETWEEN_S)
    await stopped_then_killed(server)


@pytest.mark.parametrize("outages", [out_ten_times, out_five_times_then_killed], ids=lambda outages: outages.__name__)
def test_of_many_outages_each_holder_has_the_same_up_to_the_maximum(
    crowd: Crowd, tmp_path: Path, outages: Callable[[Server], Awaitable[None]]
) -> None:
    after = Aftermath(crowd, tmp_path / "outage.db")
    settings = settings_over(after.database, outage_credit_max_seconds=SUM_MAX_S)
    with seeded(Random(6)) as bugs:
        disk = Disk(after.database)
        ended_s = live(settings, lambda server: after.watch(server, outages), disk=disk, started_s=crowd.until_s)
        if not after.after:
            back: Story = lambda server: after.watch(server, out_ten_times)  # noqa: E731 -- one line
            live(settings, back, started_s=ended_s + SHORT_OUTAGE_S)

    assert after.outage_ms > (SUM_MAX_S + 10) * 1_000
    # Those who had more left than there was time between the outages still hold their seats.
    held_at = later(NOON, round(crowd.until_s * 1_000))
    stay = [what for what, end in after.before.items() if what[0] == "hold" and end > later(held_at, STAY_MS)]
    assert len(stay) > HOLDERS / 2
    moved = extensions(after.database)
    assert {moved[hold] for hold in stay} == {SUM_MAX_S * 1_000}
    # The start of a server is an outage as well, of as long as nobody served.
    at_the_start_ms = first_outage_ms(after.database)
    assert {moved[hold] - (after.after[hold] - after.before[hold]) for hold in stay} == {at_the_start_ms}
    assert at_the_start_ms < SHORT_OUTAGE_S * 1_000 / 100
    assert bugs == []


def test_the_line_moves_on_with_the_last_trial_of_its_breaker(tmp_path: Path) -> None:
    database = tmp_path / "trial.db"
    database.write_bytes(before_the_sale())

    with seeded(Random(5)) as bugs:
        live(settings_for(database), the_last_trial_of_the_line)

    assert bugs == []


def test_a_trial_is_judged_by_the_time_at_which_it_is_made(tmp_path: Path) -> None:
    """Beside it other processes have gone on: what they hold since may not have been paid for before it was held."""
    database = tmp_path / "trial.db"
    database.write_bytes(before_the_sale())
    told: list[tuple[Instant, Instant]] = []

    async def the_last_permit_of_the_sale(server: Server) -> None:
        sale = server.services.breakers.of(Instance.SALE)
        sale.transition_to(State.OPEN)
        await asyncio.sleep(WAIT_S + 0.001)
        permits = [sale.acquire() for _ in range(sale.settings.permitted_number_of_calls_in_half_open_state)]
        begun_at = server.services.clock.now()
        settled = await server.services.charge.charge(buyer_id=TRIES, amount_won=Won(1), key=None)
        for permit in permits:
            sale.record_success(permit, 0)
        assert isinstance(settled.receipt, WalletReceipt)
        told.append((begun_at, settled.receipt.posted_at))

    with seeded(Random(7)) as bugs:
        live(settings_for(database), the_last_permit_of_the_sale)

    [(begun_at, posted_at)] = told
    assert posted_at >= begun_at
    assert bugs == []


def test_control_a_server_that_lives_on_while_nobody_can_buy_is_found_out(
    crowd: Crowd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqlClockStop, "look", lambda _: False)
    after = Aftermath(crowd, tmp_path / "outage.db")
    with seeded(Random(4)):
        live(
            settings_over(after.database),
            lambda server: after.watch(server, an_operator_stops_the_sale),
            started_s=crowd.until_s,
        )

    assert len(list(after.wrong())) == len(after.before)
