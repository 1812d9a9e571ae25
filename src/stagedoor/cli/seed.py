"""`stagedoor seed`: members with money, and performances with seats."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from stagedoor.adapters.sql import seeding
from stagedoor.adapters.sql.seeding import PerformancePlan
from stagedoor.bootstrap.database import made, written
from stagedoor.cli.options import Flags, command, settings_of
from stagedoor.cli.programme import (
    HALLS,
    MINUTES_MAX,
    known_hall,
    one_line,
    plain_hall,
    read_programme,
    starting_at,
)
from stagedoor.cli.progress import progress_bar
from stagedoor.cli.sentences import Misused, Refused, say
from stagedoor.cli.tables import local_time, show_table
from stagedoor.kernel.clock import MINUTE_MS, Instant, later
from stagedoor.kernel.ids import MAIN_ROOM, PerformanceId, RoomId
from stagedoor.kernel.money import CHARGE_WON_MAX, Won
from stagedoor.settings import Settings

seed = typer.Typer(
    name="seed",
    help="Fill a database: members, halls, performances. It is made if it is not there; a server may be at work on it.",
    no_args_is_help=True,
)

MEMBERS_MAX = 10_000_000
LENGTH_MAX = 1_000


@command(seed, "members", epilog="Example: `stagedoor seed members --count 100000 --balance 300000`")
def seed_members(
    flags: Flags,
    count: Annotated[int, typer.Option(min=1, max=MEMBERS_MAX, help="How many.")] = 100_000,
    balance: Annotated[
        int, typer.Option(min=0, max=CHARGE_WON_MAX, metavar="WON", help="What each wallet is charged with at first.")
    ] = 300_000,
    first: Annotated[int, typer.Option(min=1, max=1 << 50, help="The id of the first of them.")] = 1,
) -> None:
    """Make members with ids in a row. Who is a member already is left alone, so it can be run again."""
    settings = settings_of(flags)
    began = time.monotonic()

    async def write() -> int:
        async with made(settings) as database:
            done, now = 0, database.clock.now()
            with progress_bar("members", count) as advance:
                # A transaction a batch: a server at work on the same file gets its turn in between.
                for ids in seeding.batches(first, count):
                    step = partial(seeding.seed_members, ids=ids, balance_won=Won(balance), now=now)
                    done += await written(database.lanes, step)
                    advance(len(ids))
            return done

    done = asyncio.run(write())
    known = f"; {count - done:,} were there before and are as they were" if done < count else ""
    say(f"{done:,} members made in {time.monotonic() - began:.1f} s, with {balance:,} won each{known}.")


@command(
    seed,
    "performance",
    epilog='Examples: `stagedoor seed performance --title "Spring Gala" --starts "2027-04-02 19:30" --hall theatre`\n\n'
    '`stagedoor seed performance --title Unplugged --starts 2027-04-02T19:30:00+09:00 --venue "The Attic" --rows 4 '
    "--seats-per-row 8 --price 40000`",
)
def seed_performance(  # noqa: PLR0913 -- each is a flag
    *,
    flags: Flags,
    title: Annotated[str, typer.Option(help="What is on.", show_default=False)],
    starts: Annotated[
        str,
        typer.Option(help="When it begins: date and time, the venue's own unless with an offset.", show_default=False),
    ],
    hall: Annotated[
        str | None, typer.Option(help="A hall of `stagedoor seed halls`, instead of a venue with rows of seats.")
    ] = None,
    venue: Annotated[str, typer.Option(help="Where it is.", show_default=False)] = "",
    rows: Annotated[int, typer.Option(min=1, max=LENGTH_MAX, help="How many rows the venue has.")] = 5,
    seats_per_row: Annotated[int, typer.Option(min=1, max=LENGTH_MAX, help="How many seats a row has.")] = 10,
    price: Annotated[int, typer.Option(min=1, max=CHARGE_WON_MAX, metavar="WON", help="What a seat costs.")] = 50_000,
    minutes: Annotated[int, typer.Option(min=1, max=MINUTES_MAX, help="How long it takes.")] = 120,
    room: Annotated[str, typer.Option(help="The waiting room in front of it.")] = MAIN_ROOM,
) -> None:
    """Make one performance, in a hall that is known by name or in a venue of equal rows at one price."""
    settings = settings_of(flags)
    if (hall is None) == (not venue):
        raise Misused("say either --hall, or --venue with --rows, --seats-per-row and --price")
    place = known_hall(hall) if hall is not None else plain_hall(venue, rows, seats_per_row, price)
    starts_at = starting_at(read_start(starts), settings.time_zone)
    plan = PerformancePlan(
        room_id=RoomId(room),
        title=one_line("--title", title),
        hall=place,
        starts_at=starts_at,
        ends_at=later(starts_at, minutes * MINUTE_MS),
        time_zone=settings.time_zone,
    )
    _make(settings, [plan])


@command(seed, "programme")
def seed_programme(
    flags: Flags,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A TOML file.", show_default=False)],
) -> None:
    """
    Make the performances that a file describes, each in a hall of the file or of `stagedoor seed halls`.

    [[halls]] has a venue and its [[halls.sections]] (name, rows, seats_per_row, price_won, zone); [[performances]] has
    title, hall, starts, minutes and room.
    """
    settings = settings_of(flags)
    _make(settings, read_programme(file, settings.time_zone))


@command(seed, "halls")
def seed_halls(flags: Flags) -> None:  # noqa: ARG001 -- every command can be told where the data is
    """Show the halls that a performance can be seeded in by name."""
    show_table(
        ("hall", "venue", "section", "zone", "seats", "price"),
        [
            (name, hall.venue, section.name, section.zone, f"{section.seat_count:,}", f"{section.price_won:,} won")
            for name, hall in HALLS.items()
            for section in hall.sections
        ],
    )


def read_start(written_down: str) -> datetime:
    """Read the date and time of a flag. Raises `Misused`."""
    try:
        return datetime.fromisoformat(written_down)
    except ValueError as error:
        raise Misused(
            f'--starts is "{written_down}", but it has to be a date and time such as "2027-04-02 19:30"'
        ) from error


def _make(settings: Settings, plans: Sequence[PerformancePlan]) -> None:
    async def write() -> tuple[list[PerformanceId], Instant]:
        async with made(settings) as database:
            with progress_bar("seats", sum(plan.hall.seat_count for plan in plans)) as advance:
                ids = await written(database.lanes, partial(_all, plans=plans, progress=advance))
            return ids, database.clock.now()

    ids, now = asyncio.run(write())
    show_table(
        ("schedule", "title", "venue", "begins", "seats", "room"),
        [
            (
                str(performance_id),
                plan.title,
                plan.hall.venue,
                local_time(plan.starts_at, plan.time_zone),
                f"{plan.hall.seat_count:,}",
                plan.room_id,
            )
            for performance_id, plan in zip(ids, plans, strict=True)
        ],
    )
    if any(plan.starts_at <= now for plan in plans):
        say("What has begun already is not in the schedule.")


def _all(connection: Connection, plans: Sequence[PerformancePlan], progress: seeding.Progress) -> list[PerformanceId]:
    seeding.seed_room(connection, MAIN_ROOM, name=seeding.MAIN_ROOM_NAME)
    for room_id in {plan.room_id for plan in plans}:
        if not seeding.has_room(connection, room_id):
            raise Refused(f'there is no room "{room_id}": `stagedoor room create {room_id}` makes it')
    return [seeding.seed_performance(connection, plan, progress=progress) for plan in plans]
