"""A programme as an operator writes it down: halls with their sections, and what is on in them."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from stagedoor.adapters.sql.demo import ARENA, CLUB, THEATRE
from stagedoor.adapters.sql.seeding import Hall, PerformancePlan, Section
from stagedoor.cli.sentences import Misused
from stagedoor.kernel.clock import MINUTE_MS, SECOND_MS, Instant, later
from stagedoor.kernel.ids import MAIN_ROOM, RoomId
from stagedoor.kernel.money import CHARGE_WON_MAX, Won

HALLS = {"club": CLUB, "theatre": THEATRE, "arena": ARENA}
"""Halls that a performance can be seeded in by name."""

SEATS_MAX = 200_000
LINE_LENGTH_MAX = 200
MINUTES_MAX = 7 * 24 * 60

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=LINE_LENGTH_MAX)]
Minutes = Annotated[int, msgspec.Meta(ge=1, le=MINUTES_MAX)]


class SectionEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A block of seats, all at one price."""

    name: Name
    rows: Annotated[int, msgspec.Meta(ge=1, le=1_000)]
    seats_per_row: Annotated[int, msgspec.Meta(ge=1, le=1_000)]
    price_won: Annotated[int, msgspec.Meta(ge=1, le=CHARGE_WON_MAX)]
    zone: Name = "Standard"


class HallEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A hall, known in the file by its venue's name."""

    venue: Line
    sections: Annotated[list[SectionEntry], msgspec.Meta(min_length=1)]


class PerformanceEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A performance. *starts* without an offset is the venue's own time; *hall* one of the file, or of `HALLS`."""

    title: Line
    hall: Line
    starts: datetime
    minutes: Minutes = 120
    room: Name = MAIN_ROOM


class ProgrammeFile(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    halls: list[HallEntry] = []
    performances: list[PerformanceEntry] = []


def read_programme(path: Path, time_zone: str) -> list[PerformancePlan]:
    """Read the performances that the TOML file *path* describes. Raises `Misused`, naming what is wrong and where."""
    try:
        written = msgspec.toml.decode(path.read_bytes(), type=ProgrammeFile)
    except ValueError as error:
        raise Misused(f"{path} does not describe a programme: {error}") from error
    halls = dict(HALLS)
    for entry in written.halls:
        halls[entry.venue] = hall_of(entry.venue, entry.sections)
    if not written.performances:
        raise Misused(f"{path} has no performances: each begins with the line [[performances]]")
    return [_plan(entry, halls, time_zone, path) for entry in written.performances]


def known_hall(name: str) -> Hall:
    """Return one of `HALLS`. Raises `Misused`."""
    if name not in HALLS:
        raise Misused(f'there is no hall "{name}": there are {", ".join(HALLS)}; or say --venue instead')
    return HALLS[name]


def plain_hall(venue: str, rows: int, seats_per_row: int, price_won: int) -> Hall:
    """Return a hall of equal rows at one price."""
    entry = SectionEntry(name="Floor", rows=rows, seats_per_row=seats_per_row, price_won=price_won)
    return hall_of(one_line("--venue", venue), [entry])


def one_line(flag: str, written: str) -> str:
    """Return what a flag was given, if it is a line of text that the database takes. Raises `Misused`."""
    if not written.strip() or not written.isprintable() or len(written) > LINE_LENGTH_MAX:
        raise Misused(f"{flag} has to be a line of 1 to {LINE_LENGTH_MAX} characters")
    return written


def hall_of(venue: str, entries: list[SectionEntry]) -> Hall:
    """Return the hall of *entries*. Raises `Misused` where it is too large, or two sections have one name."""
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise Misused(f'the hall "{venue}" has two sections of one name')
    hall = Hall(
        venue=venue,
        sections=tuple(
            Section(
                name=entry.name,
                rows=entry.rows,
                seats_per_row=entry.seats_per_row,
                zone=entry.zone,
                price_won=Won(entry.price_won),
            )
            for entry in entries
        ),
    )
    if hall.seat_count > SEATS_MAX:
        raise Misused(f'the hall "{venue}" has {hall.seat_count:,} seats, but it has to have at most {SEATS_MAX:,}')
    return hall


def starting_at(written: datetime, time_zone: str) -> Instant:
    """Return when something begins that begins at *written*: without an offset, the venue's own time."""
    moment = written if written.tzinfo is not None else written.replace(tzinfo=ZoneInfo(time_zone))
    return Instant(round(moment.timestamp()) * SECOND_MS)


def _plan(entry: PerformanceEntry, halls: Mapping[str, Hall], time_zone: str, path: Path) -> PerformancePlan:
    hall = halls.get(entry.hall)
    if hall is None:
        raise Misused(f'{path} has "{entry.title}" in the hall "{entry.hall}", but the halls are {", ".join(halls)}')
    starts_at = starting_at(entry.starts, time_zone)
    return PerformancePlan(
        room_id=RoomId(entry.room),
        title=entry.title,
        hall=hall,
        starts_at=starts_at,
        ends_at=later(starts_at, entry.minutes * MINUTE_MS),
        time_zone=time_zone,
    )
