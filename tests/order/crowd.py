"""
A crowd in front of one room, in virtual time, over the real use cases.

Everybody comes within a minute or so and polls as she is told. Some leave, some go
away and come back, some come back too late, and a few do not take up their
pass. What each was told, and when, is her own record; the passes are the
server's.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from random import Random

from sqlalchemy import select

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql import schema, tables
from stagedoor.adapters.sql.seeding import Hall, PerformancePlan, Section, seed_members, seed_performance, seed_room
from stagedoor.kernel.clock import DAY_MS, SECOND_MS, later
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId, PlaceRef, QueueNumber
from stagedoor.kernel.money import Won
from stagedoor.waiting_room.model import PlaceState, PlaceView
from stagedoor.waiting_room.rejections import PlaceIsOver, StillWaiting
from tests.builders.line import taken
from tests.builders.sale import NOON
from tests.order.record import Fan, Limits, Pass, Record, Sign
from tests.simulation.process import Server, live, seeded, settings_for

AWAY_AFTER_S = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many come within how many seconds, what the room allows, and when the last one gives up."""

    buyers: int = 5_000
    leaving: float = 0.3
    going_away: float = 0.2
    max_active: int = 70
    rate: float = 16.5
    coming_s: float = 60.0
    latest_s: float = 900.0
    seed: int = 1

    @property
    def limits(self) -> Limits:
        """What the room promises."""
        return Limits(max_active=self.max_active, rate=self.rate, away_after_s=AWAY_AFTER_S)


def run(plan: Plan, folder: Path) -> Record:
    """Let the crowd through; the database is made in *folder*."""
    random = Random(plan.seed)
    database = folder / f"crowd-{plan.seed}.db"
    settings = settings_for(
        database,
        max_active=plan.max_active,
        admit_rate=plan.rate,
        away_after_seconds=AWAY_AFTER_S,
        idle_timeout_seconds=10,
        session_max_seconds=60,
    )
    _lay_out(database, plan)
    fans = [Fan(buyer_id=number) for number in range(1, plan.buyers + 1)]
    random.shuffle(fans)
    leaving = round(plan.leaving * plan.buyers)
    going_away = round(plan.going_away * plan.buyers)
    passes: list[Pass] = []

    async def story(server: Server) -> None:
        async with asyncio.TaskGroup() as group:
            for index, fan in enumerate(fans):
                crowd = Crowd(server=server, random=Random(random.getrandbits(64)), latest_s=plan.latest_s)
                comes_s = plan.coming_s * random.random()
                if index < leaving:
                    group.create_task(crowd.leave_early(fan, comes_s))
                elif index < leaving + going_away:
                    group.create_task(crowd.go_and_return(fan, comes_s))
                else:
                    group.create_task(crowd.stay(fan, comes_s))
        passes.extend(await _passes(server))

    with seeded(random):
        seconds = live(settings, story)
    return Record(limits=plan.limits, fans=fans, passes=passes, seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What a member of the crowd does."""

    server: Server
    random: Random
    latest_s: float

    async def stay(self, fan: Fan, comes_s: float) -> None:
        """Come, wait, look around, go."""
        await self._join(fan, comes_s)
        await self._wait(fan, until_s=self.latest_s)
        await self._look_around(fan)

    async def leave_early(self, fan: Fan, comes_s: float) -> None:
        """Come, wait for a part of what it would take, and leave."""
        await self._join(fan, comes_s)
        await self._wait(fan, until_s=self._before_her_turn(comes_s))
        await self._leave(fan)

    async def go_and_return(self, fan: Fan, comes_s: float) -> None:
        """Come, go away once or twice without a word, come back, and stay."""
        await self._join(fan, comes_s)
        for _ in range(self.random.choice([1, 1, 2])):
            await self._wait(fan, until_s=self._before_her_turn(comes_s))
            fan.absences += 1
            await asyncio.sleep(10 + 150 * self.random.random())
        await self._wait(fan, until_s=self.latest_s)
        await self._look_around(fan)

    def _before_her_turn(self, comes_s: float) -> float:
        # They come five times as fast as they are let in, so a wait is a few times as long as the way here.
        return self.server.loop.time() + 2 * comes_s * self.random.random()

    async def _join(self, fan: Fan, comes_s: float) -> None:
        await asyncio.sleep(comes_s)
        issue = self.server.services.issue_token.issue
        joined = await taken(issue(buyer_id=BuyerId(fan.buyer_id), room_id=MAIN_ROOM, key=None))
        fan.number = joined.place.ref.number
        self._note(fan, joined.place)

    async def _wait(self, fan: Fan, *, until_s: float) -> None:
        """Poll as told until it is her turn, her place is over, or the time has come."""
        while fan.signs[-1].state in {PlaceState.WAITING, PlaceState.PASSED_OVER}:
            # The network, and the patience of a person, are not exact.
            pause_s = fan.signs[-1].poll_after_ms / SECOND_MS * (0.9 + 0.2 * self.random.random())
            if self.server.loop.time() + pause_s > until_s:
                await asyncio.sleep(max(0.0, until_s - self.server.loop.time()))
                return
            await asyncio.sleep(pause_s)
            await self._poll(fan)

    async def _poll(self, fan: Fan) -> None:
        check_place = self.server.services.check_place
        await check_place.settled(_ref(fan))
        status = check_place.check(_ref(fan))
        self._note(fan, status.place)

    async def _look_around(self, fan: Fan) -> None:
        """Use the pass for a few seconds and give it back; a few let it lapse, some without ever having used it."""
        if self.random.random() < 0.03:
            return
        try:
            await self.server.services.enter_room.settled(_ref(fan))
            self.server.services.enter_room.enter(_ref(fan))
        except (PlaceIsOver, StillWaiting):
            return
        await asyncio.sleep(0.5 + 8 * self.random.random())
        if self.random.random() > 0.05:
            await self._leave(fan)

    async def _leave(self, fan: Fan) -> None:
        fan.left_at = self.server.clock.now()
        await self.server.services.leave_line.leave(ref=_ref(fan), key=None)

    def _note(self, fan: Fan, place: PlaceView) -> None:
        now = self.server.clock.now()
        fan.signs.append(
            Sign(
                asked_at=now,
                at=now,
                state=place.state,
                position=place.position,
                poll_after_ms=place.poll_after_ms,
            )
        )


def _ref(fan: Fan) -> PlaceRef:
    return PlaceRef(MAIN_ROOM, QueueNumber(fan.number))


def _lay_out(database: Path, plan: Plan) -> None:
    file = SqliteFile(database)
    hall = Hall(
        venue="The Hall",
        sections=(Section(name="Stalls", rows=10, seats_per_row=10, zone="one price", price_won=Won(50_000)),),
    )
    show = PerformancePlan(
        room_id=MAIN_ROOM,
        title="A show",
        hall=hall,
        starts_at=later(NOON, DAY_MS),
        ends_at=later(NOON, 2 * DAY_MS),
        time_zone="Asia/Seoul",
    )
    with file.write_engine.connect() as connection, connection.begin():
        schema.upgrade(connection)
        seed_room(connection, MAIN_ROOM, name="Main room")
        seed_members(connection, range(1, plan.buyers + 1), balance_won=Won(100_000), now=NOON)
        seed_performance(connection, show)
    file.write_engine.dispose()


async def _passes(server: Server) -> list[Pass]:
    columns = tables.admission_pass.c
    query = select(columns.number, columns.returner, columns.admitted_at, columns.ended_at).order_by(columns.sequence)
    rows = await server.disk.file.reading(lambda connection: connection.execute(query).all())
    return [
        Pass(number=row.number, returner=bool(row.returner), admitted_at=row.admitted_at, ended_at=row.ended_at)
        for row in rows
    ]
