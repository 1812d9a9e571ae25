"""Rooms and performances as the seeding makes them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, select

from stagedoor.adapters.sql import schema, seeding, tables
from stagedoor.adapters.sql.seeding import Hall, PerformancePlan, Section
from stagedoor.kernel.clock import HOUR_MS, Instant, later
from stagedoor.kernel.ids import MAIN_ROOM
from stagedoor.kernel.money import Won

NOW = Instant(1_800_000_000_000)
HALL = Hall(
    venue="The Attic",
    sections=(
        Section(name="Front", rows=1, seats_per_row=2, zone="A", price_won=Won(70_000)),
        Section(name="Back", rows=2, seats_per_row=1, zone="B", price_won=Won(40_000)),
    ),
)
PLAN = PerformancePlan(
    room_id=MAIN_ROOM,
    title="Unplugged",
    hall=HALL,
    starts_at=NOW,
    ends_at=later(NOW, HOUR_MS),
    time_zone="Asia/Seoul",
)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{tmp_path / 'night.db'}")
    with engine.begin() as connection:
        schema.upgrade(connection)
        yield connection
    engine.dispose()


def test_seats_are_numbered_through_the_sections(connection: Connection) -> None:
    seeding.seed_room(connection, MAIN_ROOM, name="Main")

    performance_id = seeding.seed_performance(connection, PLAN)

    assert performance_id == 1
    seat = tables.seat.c
    rows = connection.execute(
        select(seat.id, seat.position, seat.section, seat.row_name, seat.seat_number, seat.zone, seat.price_won)
    ).all()
    assert rows == [
        (1, 1, "Front", "1", 1, "A", 70_000),
        (2, 2, "Front", "1", 2, "A", 70_000),
        (3, 3, "Back", "1", 1, "B", 40_000),
        (4, 4, "Back", "2", 1, "B", 40_000),
    ]


def test_a_second_performance_has_seats_of_its_own(connection: Connection) -> None:
    seeding.seed_room(connection, MAIN_ROOM, name="Main")
    seeding.seed_performance(connection, PLAN)

    performance_id = seeding.seed_performance(connection, PLAN)

    seats = select(tables.seat.c.id, tables.seat.c.position).where(tables.seat.c.performance_id == performance_id)
    assert connection.execute(seats).all() == [(5, 1), (6, 2), (7, 3), (8, 4)]


def test_a_room_is_made_once(connection: Connection) -> None:
    assert seeding.seed_room(connection, MAIN_ROOM, name="Main")
    assert not seeding.seed_room(connection, MAIN_ROOM, name="Another")

    assert connection.execute(select(tables.room.c.name, tables.room.c.state)).all() == [("Main", "OPEN")]
