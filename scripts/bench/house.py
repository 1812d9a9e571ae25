"""
A house to measure in: the demo's programme, members with money, and a line of a given length.

Members, performances and seats are written as `stagedoor seed` writes them. The places of the line are taken through
the very port that the calls use (`WaitingLine.join`, durable), in large batches and without HTTP, and whoever is inside
was admitted by a turn. Tokens are issued by the product's own `QueueTokens` under the house's key.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, select

from scripts.bench.served import environment
from stagedoor.adapters.sql import demo, tables
from stagedoor.adapters.sql.seeding import PerformancePlan, batches, seed_members, seed_performance
from stagedoor.bootstrap.database import migrated, opened, written
from stagedoor.bootstrap.identity import tokens
from stagedoor.bootstrap.stores import Stores, open_stores, take_up_the_line
from stagedoor.http.tokens import QueueTokens
from stagedoor.kernel.clock import DAY_MS, HOUR_MS, Instant, later
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId
from stagedoor.resilience.breakers import Breakers
from stagedoor.settings import Settings, load
from stagedoor.waiting_room.ports import Join, Joined, Turn

JOINS_AT_ONCE = 10_000
A_DAY_S = "86400"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    Who is in a house: so many *inside*, *waiting* behind them, and *newcomers* who stand nowhere yet.

    *arenas* are performances of 20,000 seats beside the programme's. *names_waiting* is for how many of those waiting,
    at equal distances, there are tokens (None: all).
    """

    name: str
    inside: int
    waiting: int
    newcomers: int = 0
    arenas: int = 0
    names_waiting: int | None = None

    @property
    def members(self) -> int:
        """How many members it takes; those of the demo are there in any case."""
        return max(demo.MEMBERS, self.inside + self.waiting + self.newcomers)

    def settings(self) -> dict[str, str]:
        """
        Return the settings under which nobody enters or goes away while rounds are run.

        All slots are taken, and absence and passes last for a day; all else is as the demo has it.
        """
        times = ("AWAY_AFTER_SECONDS", "IDLE_TIMEOUT_SECONDS", "ENTRY_WINDOW_SECONDS", "SESSION_MAX_SECONDS")
        return {"MAX_ACTIVE": str(self.inside), "DATA_DIR": "data", **dict.fromkeys(times, A_DAY_S)}


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """
    A house that nobody serves from yet, in *folder*.

    Tokens are in the order of the line. *seats* are (performance, seat) of the arenas, in turns. *engines* are the
    settings that say where its data are, if not in the folder.
    """

    plan: Plan
    folder: Path
    inside: Sequence[str]
    waiting: Sequence[str]
    newcomers: range
    seats: Sequence[tuple[int, int]]
    smallest: int
    largest: int
    engines: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Mapping[str, str]:
        """What a server of this house is told; relative to its working folder."""
        return {**self.plan.settings(), **self.engines}

    def copied_to(self, folder: Path) -> Path:
        """Copy the data for a server of its own, all the way to the disk; return its working folder."""
        shutil.copytree(self.folder, folder)
        os.sync()  # or the kernel writes it while something is measured
        return folder


def build(plan: Plan, folder: Path, engines: Mapping[str, str] | None = None) -> House:
    """Make the house of *plan* in *folder*, or in the empty *engines* that these settings name."""
    folder.mkdir(parents=True)
    return asyncio.run(_build(plan, folder, engines or {}))


async def _build(plan: Plan, folder: Path, engines: Mapping[str, str]) -> House:
    said = environment({**plan.settings(), "DATA_DIR": str(folder / "data"), **engines})
    settings = load(flags={}, environ={key: value for key, value in said.items() if "STAGEDOOR" in key}, demo=True)
    async with opened(settings) as database:
        lanes, clock = database.lanes, database.clock
        _ = await migrated(lanes)
        for step in _furnishing(plan, settings, clock.now()):
            await written(lanes, step)
        stores = await open_stores(settings, database, Breakers({}, now_ns=time.monotonic_ns))
        async with stores.closing:
            await take_up_the_line(stores)
            issue = await tokens(settings, lanes, clock)
            inside = await _line_up(stores, issue, range(1, plan.inside + 1))
            await _let_in(stores, plan.inside)
            first = plan.inside + 1
            waiting = await _line_up(stores, issue, range(first, first + plan.waiting), names=plan.names_waiting)
            await stores.line.idle()
        smallest, largest, seats = await lanes.reading(lambda connection: _for_sale(connection, plan))
    first += plan.waiting
    return House(
        plan=plan,
        folder=folder,
        inside=inside,
        waiting=waiting,
        newcomers=range(first, first + plan.newcomers),
        seats=seats,
        smallest=smallest,
        largest=largest,
        engines=engines,
    )


def _furnishing(plan: Plan, settings: Settings, now: Instant) -> Iterator[Callable[[Connection], object]]:
    """Yield what is to be written, a transaction each."""
    yield partial(demo.prepare, now=now, time_zone=settings.time_zone)
    for ids in batches(demo.MEMBERS + 1, plan.members - demo.MEMBERS):
        yield partial(seed_members, ids=ids, balance_won=demo.BALANCE_WON, now=now)
    for nth in range(1, plan.arenas + 1):
        starts_at = later(now, (60 + nth) * DAY_MS)
        arena = PerformancePlan(
            room_id=MAIN_ROOM,
            title=f"Bench night {nth}",
            hall=demo.ARENA,
            starts_at=starts_at,
            ends_at=later(starts_at, 2 * HOUR_MS),
            time_zone=settings.time_zone,
        )
        yield partial(seed_performance, plan=arena)


async def _line_up(stores: Stores, issue: QueueTokens, buyers: range, *, names: int | None = None) -> Sequence[str]:
    """Let *buyers* join in this order; return the tokens of so many, at equal distances."""
    room = stores.rooms.get(MAIN_ROOM)
    assert room is not None
    step = max(1, len(buyers) // names) if names else 1
    issued = []
    for start in range(0, len(buyers), JOINS_AT_ONCE):
        some = buyers[start : start + JOINS_AT_ONCE]
        for joined in await stores.line.join([Join(room=room, buyer_id=BuyerId(buyer)) for buyer in some]):
            assert isinstance(joined, Joined)
            if (joined.place.buyer_id - buyers.start) % step == 0:
                issued.append(issue.issue(joined.place))
    return issued


async def _let_in(stores: Stores, count: int) -> None:
    room = stores.rooms.get(MAIN_ROOM)
    assert room is not None
    while stores.line.view(MAIN_ROOM).active < count:
        # Without a sign of life now and then, time would stand still and nobody be admitted any more.
        await stores.clock_stop.beat()
        await stores.line.turn([Turn(room=room, seats_free=True)])


def _for_sale(connection: Connection, plan: Plan) -> tuple[int, int, Sequence[tuple[int, int]]]:
    """Return the programme's smallest and largest performance, and the seats of the arenas, in turns."""
    performance, seat = tables.performance.c, tables.seat.c
    halls = {
        hall: connection.scalar(select(performance.id).where(performance.venue == hall.venue).order_by(performance.id))
        for hall in (demo.CLUB, demo.ARENA)
    }
    arenas = select(performance.id).where(performance.title.startswith("Bench night"))
    rows = connection.execute(
        select(seat.performance_id, seat.id)
        .where(seat.performance_id.in_(arenas))
        .order_by(seat.position, seat.performance_id)
    ).all()
    assert len(rows) == plan.arenas * demo.ARENA.seat_count
    club, arena = halls[demo.CLUB], halls[demo.ARENA]
    assert club is not None
    assert arena is not None
    return club, arena, [(performance_id, seat_id) for performance_id, seat_id in rows]
