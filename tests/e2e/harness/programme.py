"""What is on in a story: rooms with their policies, shows with their seats, written into a database before it opens."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from sqlalchemy import Connection, create_engine, insert, select, update

from stagedoor.adapters.sql import tables
from tests.e2e.harness.answers import now_ms

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
PRICE_WON = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """A performance to be: so many seats at one price, *in_days* from now."""

    seats: int
    price_won: int = PRICE_WON
    in_days: int = 30
    title: str = "A night out"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomPlan:
    """A waiting room to be; what is None follows the settings. *opens_in_ms* counts from the seeding."""

    id: str
    shows: tuple[Show, ...] = ()
    state: str = "OPEN"
    max_active: int | None = 2_000
    rate: float | None = None
    idle_timeout_ms: int | None = None
    session_max_ms: int | None = None
    away_after_ms: int | None = None
    entry_window_ms: int | None = None
    opens_in_ms: int | None = None


def a_room(room_id: str, *shows: Show, **policy: float | str | None) -> RoomPlan:
    """Describe a room that is open and has space for everybody, unless *policy* says otherwise."""
    return RoomPlan(id=room_id, shows=shows, **policy)  # type: ignore[arg-type]  # the names are the dataclass's own


def a_show(seats: int, *, price_won: int = PRICE_WON, in_days: int = 30, title: str = "A night out") -> Show:
    """Describe a performance."""
    return Show(seats=seats, price_won=price_won, in_days=in_days, title=title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A performance as it was seeded; *seat_ids* by position."""

    schedule_id: int
    seat_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """Everything that was seeded, by room."""

    shows: Mapping[str, tuple[Staged, ...]] = field(default_factory=dict)
    opens_at: Mapping[str, int] = field(default_factory=dict)


def stage(database: Path, plans: Iterable[RoomPlan]) -> Programme:
    """
    Write *plans* into a database that has its schema and its members; nobody may serve from it yet.

    The copy becomes a house of its own: tokens of another copy are foreign to it.
    """
    engine = create_engine(f"sqlite:///{database}")
    try:
        with engine.begin() as connection:
            connection.execute(update(tables.installation).values(line_epoch=token_hex(16)))
            return stage_in(connection, plans, now_ms())
    finally:
        engine.dispose()


def balances(database: Path) -> dict[int, int]:
    """Read every wallet."""
    engine = create_engine(f"sqlite:///{database}")
    try:
        with engine.connect() as connection:
            rows = connection.execute(select(tables.wallet.c.buyer_id, tables.wallet.c.balance_won))
            return {row.buyer_id: row.balance_won for row in rows}
    finally:
        engine.dispose()


def stage_in(connection: Connection, plans: Iterable[RoomPlan], now: int) -> Programme:
    """Write *plans*, whose shows are so many days after *now*."""
    shows: dict[str, tuple[Staged, ...]] = {}
    opens_at: dict[str, int] = {}
    schedule_id = 0
    for plan in plans:
        if plan.opens_in_ms is not None:
            opens_at[plan.id] = now + plan.opens_in_ms
        _write_room(connection, plan, opens_at.get(plan.id))
        staged: list[Staged] = []
        for show in plan.shows:
            schedule_id += 1
            staged.append(_write_show(connection, plan.id, schedule_id, show, now))
        shows[plan.id] = tuple(staged)
    return Programme(shows=shows, opens_at=opens_at)


def _write_room(connection: Connection, plan: RoomPlan, opens_at: int | None) -> None:
    row = {
        "id": plan.id,
        "name": plan.id,
        "state": plan.state,
        "opens_at": opens_at,
        "max_active": plan.max_active,
        "rate": plan.rate,
        "idle_timeout_ms": plan.idle_timeout_ms,
        "session_max_ms": plan.session_max_ms,
        "away_after_ms": plan.away_after_ms,
        "entry_window_ms": plan.entry_window_ms,
        "version": 1,
    }
    known = connection.execute(update(tables.room).where(tables.room.c.id == plan.id).values(row))
    if known.rowcount == 0:
        connection.execute(insert(tables.room), row)


def _write_show(connection: Connection, room_id: str, schedule_id: int, show: Show, now: int) -> Staged:
    starts_at = now + show.in_days * DAY_MS
    connection.execute(
        insert(tables.performance),
        {
            "id": schedule_id,
            "room_id": room_id,
            "title": show.title,
            "venue": "The hall",
            "starts_at": starts_at,
            "ends_at": starts_at + 2 * HOUR_MS,
            "time_zone": "Asia/Seoul",
        },
    )
    staged = Staged(
        schedule_id=schedule_id,
        seat_ids=tuple(schedule_id * 100_000 + position for position in range(1, show.seats + 1)),
    )
    connection.execute(
        insert(tables.seat),
        [
            {
                "id": seat_id,
                "performance_id": schedule_id,
                "position": position,
                "section": "A",
                "row_name": "1",
                "seat_number": position,
                "zone": "standard",
                "price_won": show.price_won,
            }
            for position, seat_id in enumerate(staged.seat_ids, start=1)
        ],
    )
    return staged
