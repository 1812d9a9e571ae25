"""The demo: made once, whole, and always still to come, with the club night first."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, Row, create_engine, func, insert, select, update

from stagedoor.adapters.sql import demo, schema, seeding, tables
from stagedoor.adapters.sql.demo import DemoReport
from stagedoor.kernel.clock import DAY_MS, Instant, later
from stagedoor.kernel.ids import MAIN_ROOM
from stagedoor.kernel.money import Won

NOW = Instant(1_795_600_000_000)  # 2026-11-25, a Wednesday in Seoul
SEOUL = "Asia/Seoul"


@pytest.fixture
def connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setattr(demo, "MEMBERS", 10)
    engine = create_engine(f"sqlite:///{tmp_path / 'demo.db'}")
    with engine.begin() as connection:
        schema.upgrade(connection)
        yield connection
    engine.dispose()


def prepare(connection: Connection, now: Instant = NOW) -> DemoReport:
    return demo.prepare(connection, now=now, time_zone=SEOUL)


def schedule(connection: Connection) -> Sequence[Row[tuple[object, ...]]]:
    performance = tables.performance.c
    return connection.execute(select(tables.performance).order_by(performance.starts_at, performance.id)).all()


def titles(connection: Connection) -> list[str]:
    return [row.title for row in schedule(connection)]


def starts(connection: Connection) -> list[int]:
    return [row.starts_at for row in schedule(connection)]


def test_the_halls_have_the_seats_they_should() -> None:
    assert demo.CLUB.seat_count == 50
    assert demo.THEATRE.seat_count == 1_200
    assert len({section.price_won for section in demo.THEATRE.sections}) == 3
    assert demo.ARENA.seat_count == 20_000
    assert len(demo.ARENA.sections) > 10


def test_an_empty_database_gets_members_and_a_programme(connection: Connection) -> None:
    report = prepare(connection)

    assert report == DemoReport(members_made=10, performances_made=9, performances_moved=0)
    assert connection.scalar(select(tables.room.c.max_active).where(tables.room.c.id == MAIN_ROOM)) is None
    assert connection.execute(select(tables.wallet.c.balance_won)).scalars().all() == [300_000] * 10
    of_performance = select(func.count(tables.seat.c.id)).group_by(tables.seat.c.performance_id)
    seats = connection.execute(of_performance).scalars().all()
    assert sorted(seats) == [50, 50, 50, 1_200, 1_200, 1_200, 20_000, 20_000, 20_000]
    assert demo.is_demo(connection)


def test_the_club_night_comes_first_and_is_a_week_away(connection: Connection) -> None:
    prepare(connection)

    first = schedule(connection)[0]
    assert (first.id, first.title) == (1, demo.CLUB_NIGHT)
    assert first.starts_at == 1_796_382_000_000  # Friday, 2026-12-04, 20:00 in Seoul
    assert connection.scalar(select(func.max(tables.seat.c.id)).where(tables.seat.c.performance_id == 1)) == 50


def test_a_second_start_changes_nothing(connection: Connection) -> None:
    prepare(connection)
    before = schedule(connection)

    report = prepare(connection, later(NOW, DAY_MS))

    assert report == DemoReport(members_made=0, performances_made=0, performances_moved=0)
    assert schedule(connection) == before


@pytest.mark.parametrize("days_later", [9, 11, 60, 800])
def test_a_programme_that_is_due_moves_as_a_whole(connection: Connection, days_later: int) -> None:
    prepare(connection)
    order = titles(connection)
    now = later(NOW, days_later * DAY_MS)

    report = prepare(connection, now)

    assert report.performances_moved == 9
    assert titles(connection) == order
    assert order[0] == demo.CLUB_NIGHT
    assert min(starts(connection)) >= now + 7 * DAY_MS


def test_one_night_in_the_past_does_not_become_the_first(connection: Connection) -> None:
    prepare(connection)
    before = schedule(connection)
    theatre = tables.performance.c.id == 2
    connection.execute(update(tables.performance).where(theatre).values(starts_at=1, ends_at=2))

    prepare(connection)

    assert schedule(connection) == before


def test_what_was_sold_stays_sold(connection: Connection) -> None:
    prepare(connection)
    sold = {"seat_id": 1, "performance_id": 1, "hold_id": 7, "state": 2, "held_until": 1 << 52}
    connection.execute(insert(tables.seat_claim), sold)

    prepare(connection, later(NOW, 30 * DAY_MS))

    assert connection.execute(select(tables.seat_claim)).one() == (1, 1, 7, 2, 1 << 52)


def test_a_database_with_members_is_left_alone(connection: Connection) -> None:
    seeding.seed_members(connection, range(1, 2), balance_won=Won(5), now=NOW)

    report = prepare(connection)

    assert report == DemoReport(members_made=0, performances_made=0, performances_moved=0)
    assert schedule(connection) == []
    assert not demo.is_demo(connection)


def test_a_programme_of_ones_own_is_neither_added_to_nor_moved(connection: Connection) -> None:
    seeding.seed_room(connection, MAIN_ROOM, name="Main")
    plan = seeding.PerformancePlan(
        room_id=MAIN_ROOM,
        title="My own",
        hall=demo.CLUB,
        starts_at=Instant(NOW - DAY_MS),
        ends_at=NOW,
        time_zone=SEOUL,
    )
    seeding.seed_performance(connection, plan)

    report = prepare(connection)

    assert report == DemoReport(members_made=10, performances_made=0, performances_moved=0)
    assert titles(connection) == ["My own"]
    assert starts(connection) == [NOW - DAY_MS]


def test_progress_adds_up(connection: Connection) -> None:
    told: list[int] = []

    demo.prepare(connection, now=NOW, time_zone=SEOUL, progress=told.append)

    assert sum(told) == demo.rows_to_make()
