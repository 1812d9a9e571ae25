"""
The demo: 100,000 members with money, and a programme of three halls that is always still to come.

The programme is laid out from a Friday at least a week away. Whenever a server
starts and a night of it is less than a day away, or past, all of its nights get
the dates that they would get if they were made now. So the club night, which is
its first, stays the first, in the schedule as in the list; what was held or sold
for a night stays held or sold for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select, tuple_, update

from stagedoor.adapters.sql import tables
from stagedoor.adapters.sql.seeding import (
    MAIN_ROOM_NAME,
    Hall,
    PerformancePlan,
    Progress,
    Section,
    batches,
    has_members,
    has_performances,
    seed_members,
    seed_performance,
    seed_room,
)
from stagedoor.kernel.clock import DAY_MS, MINUTE_MS, SECOND_MS, Instant, later
from stagedoor.kernel.ids import MAIN_ROOM
from stagedoor.kernel.money import Won

MEMBERS = 100_000
BALANCE_WON = Won(300_000)

CLUB = Hall(
    venue="Dalbit Basement, Seoul",
    sections=(Section(name="Floor", rows=5, seats_per_row=10, zone="Standard", price_won=Won(50_000)),),
)
THEATRE = Hall(
    venue="Byeolha Theatre, Seoul",
    sections=(
        Section(name="Stalls", rows=20, seats_per_row=24, zone="VIP", price_won=Won(120_000)),
        Section(name="Mezzanine", rows=18, seats_per_row=24, zone="R", price_won=Won(90_000)),
        Section(name="Balcony", rows=12, seats_per_row=24, zone="S", price_won=Won(60_000)),
    ),
)
ARENA = Hall(
    venue="Mirinae Arena, Incheon",
    sections=(
        *(
            Section(name=f"Floor {letter}", rows=25, seats_per_row=40, zone="Floor", price_won=Won(150_000))
            for letter in "ABCD"
        ),
        *(
            Section(name=f"Lower {number}", rows=20, seats_per_row=40, zone="Lower", price_won=Won(120_000))
            for number in range(101, 111)
        ),
        *(
            Section(name=f"Upper {number}", rows=20, seats_per_row=40, zone="Upper", price_won=Won(80_000))
            for number in range(201, 211)
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """A night of the programme: *days_after* its first Friday, beginning *at* the venue's own time."""

    title: str
    hall: Hall
    days_after: int
    at: time
    minutes: int


CLUB_NIGHT = "Moon Jar Club Night"
MUSICAL = "The Lantern Keeper of Mapo"
TOUR = "Haneul Parade: First Light Tour"

PROGRAMME: Sequence[Night] = (
    Night(title=CLUB_NIGHT, hall=CLUB, days_after=0, at=time(20, 0), minutes=150),
    Night(title=MUSICAL, hall=THEATRE, days_after=1, at=time(19, 0), minutes=165),
    Night(title=MUSICAL, hall=THEATRE, days_after=2, at=time(15, 0), minutes=165),
    Night(title=CLUB_NIGHT, hall=CLUB, days_after=7, at=time(20, 0), minutes=150),
    Night(title=MUSICAL, hall=THEATRE, days_after=8, at=time(19, 0), minutes=165),
    Night(title=CLUB_NIGHT, hall=CLUB, days_after=14, at=time(20, 0), minutes=150),
    Night(title=TOUR, hall=ARENA, days_after=28, at=time(19, 30), minutes=180),
    Night(title=TOUR, hall=ARENA, days_after=29, at=time(18, 0), minutes=180),
    Night(title=TOUR, hall=ARENA, days_after=30, at=time(17, 0), minutes=180),
)

_FRIDAY = 4
_DAYS_AHEAD_MIN = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What `prepare` did; all zero if there was nothing to do."""

    members_made: int
    performances_made: int
    performances_moved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    id: int
    starts_at: Instant
    time_zone: str


def rows_to_make() -> int:
    """Return how many members and seats a whole demo has: what `progress` of `prepare` adds up to."""
    return MEMBERS + sum(night.hall.seat_count for night in PROGRAMME)


def prepare(
    connection: Connection, *, now: Instant, time_zone: str, progress: Progress = lambda _rows: None
) -> DemoReport:
    """
    Make what is missing of the demo, and move its programme if it is due.

    Nothing is added to a database that has members, and no programme to one
    that has performances. To be run in one transaction, so that a demo is
    there as a whole or not at all. *progress* is told of members and seats.
    """
    seed_room(connection, MAIN_ROOM, name=MAIN_ROOM_NAME)
    members_made = performances_made = 0
    if not has_members(connection):
        members_made = _make_members(connection, now, progress)
        performances_made = _make_programme(connection, now, time_zone, progress)
    moved = 0 if performances_made else _move_programme(connection, now)
    return DemoReport(members_made=members_made, performances_made=performances_made, performances_moved=moved)


def is_demo(connection: Connection) -> bool:
    """Tell whether the database holds the demo's programme."""
    return bool(_nights_made(connection))


def _make_members(connection: Connection, now: Instant, progress: Progress) -> int:
    made = 0
    for ids in batches(1, MEMBERS):
        made += seed_members(connection, ids, balance_won=BALANCE_WON, now=now)
        progress(len(ids))
    return made


def _make_programme(connection: Connection, now: Instant, time_zone: str, progress: Progress) -> int:
    if has_performances(connection):
        return 0
    for night, (starts_at, ends_at) in zip(PROGRAMME, dates(now, time_zone), strict=True):
        plan = PerformancePlan(
            room_id=MAIN_ROOM,
            title=night.title,
            hall=night.hall,
            starts_at=starts_at,
            ends_at=ends_at,
            time_zone=time_zone,
        )
        seed_performance(connection, plan, progress=progress)
    return len(PROGRAMME)


def dates(now: Instant, time_zone: str) -> Sequence[tuple[Instant, Instant]]:
    """Return when each night of the programme begins and ends, if it is made at *now*."""
    zone = ZoneInfo(time_zone)
    today = datetime.fromtimestamp(now / SECOND_MS, UTC).astimezone(zone).date()
    first = _friday_from(today + timedelta(days=_DAYS_AHEAD_MIN))
    begins = [datetime.combine(first + timedelta(days=night.days_after), night.at, tzinfo=zone) for night in PROGRAMME]
    starts = [Instant(round(begin.timestamp()) * SECOND_MS) for begin in begins]
    return [(start, later(start, night.minutes * MINUTE_MS)) for start, night in zip(starts, PROGRAMME, strict=True)]


def _friday_from(day: date) -> date:
    return day + timedelta(days=(_FRIDAY - day.weekday()) % 7)


def _move_programme(connection: Connection, now: Instant) -> int:
    nights = _nights_made(connection)
    if not nights or min(made.starts_at for made, _ in nights) >= now + DAY_MS:
        return 0
    for made, which in nights:
        starts_at, ends_at = dates(now, made.time_zone)[which]
        connection.execute(
            update(tables.performance)
            .where(tables.performance.c.id == made.id)
            .values(starts_at=starts_at, ends_at=ends_at)
        )
    return len(nights)


def _nights_made(connection: Connection) -> Sequence[tuple[_Made, int]]:
    """Return the performances that are the programme's, each with the index of its night there."""
    performance = tables.performance.c
    wanted = {(night.title, night.hall.venue) for night in PROGRAMME}
    rows = connection.execute(
        select(performance.id, performance.starts_at, performance.time_zone, performance.title)
        .where(tuple_(performance.title, performance.venue).in_(wanted))
        .order_by(performance.id)
    ).all()
    # They were made in the programme's order, so the first of a title is its first night.
    indices = {
        title: iter([index for index, night in enumerate(PROGRAMME) if night.title == title]) for *_, title in rows
    }
    return [
        (_Made(id=number, starts_at=starts_at, time_zone=time_zone), index)
        for number, starts_at, time_zone, title in rows
        if (index := next(indices[title], None)) is not None
    ]
