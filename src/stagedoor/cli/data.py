"""`stagedoor migrate` and `stagedoor demo-reset`: done to a database as a whole, while nobody serves from it."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from sqlalchemy import Connection

from stagedoor.adapters.embedded.clock import SystemClock
from stagedoor.adapters.embedded.database_copy import SIDE_FILES, beside
from stagedoor.adapters.embedded.sqlite_file import ServingLock
from stagedoor.adapters.sql import demo, schema
from stagedoor.adapters.sql.seeding import has_members, has_performances
from stagedoor.cli.options import Flags, command, settings_of
from stagedoor.cli.progress import progress_bar
from stagedoor.cli.sentences import Refused, say
from stagedoor.cli.store import is_empty, made, migrated, opened, written
from stagedoor.settings import Settings


def add_data_commands(app: typer.Typer, *, panel: str) -> None:
    """Give *app* the commands of this file."""
    command(app, "migrate", panel=panel)(migrate)
    command(app, "demo-reset", panel=panel)(demo_reset)


def migrate(flags: Flags) -> None:
    """Bring the database's schema up to date; `stagedoor serve` does it by itself."""
    settings = settings_of(flags)

    async def write() -> bool:
        async with opened(settings) as lanes:
            return await migrated(lanes)

    with nobody_serving(settings):
        changed = asyncio.run(write())
    done = "now has" if changed else "already had"
    say(f"{settings.database_file.absolute()} {done} schema {schema.HEAD}.")


def demo_reset(flags: Flags) -> None:
    """
    Throw the demo's data away and make it afresh.

    Data that are not the demo's are left alone.
    """
    settings = settings_of(flags, demo=True)
    began = time.monotonic()
    with nobody_serving(settings):
        asyncio.run(_refuse_other_data(settings))
        for suffix in ("", *SIDE_FILES):
            beside(settings.database_file, suffix).unlink(missing_ok=True)
        report = asyncio.run(_make_demo(settings))
    say(
        f"The demo is made afresh in {settings.database_file.absolute()}: {report.members_made:,} members and "
        f"{report.performances_made} performances, in {time.monotonic() - began:.1f} s."
    )


@contextmanager
def nobody_serving(settings: Settings) -> Iterator[None]:
    """Keep servers off the database while it lasts. Raises `FileInUse` if one serves from it already."""
    settings.database_file.parent.mkdir(parents=True, exist_ok=True)
    lock = ServingLock(settings.database_file)
    try:
        yield
    finally:
        lock.release()


async def _refuse_other_data(settings: Settings) -> None:
    if not settings.database_file.exists():
        return
    async with opened(settings) as lanes:
        if not await lanes.reading(_may_be_thrown_away):
            raise Refused(
                f"{settings.database_file.absolute()} holds data that are not the demo's: remove it yourself if you "
                "want to be rid of it"
            )


def _may_be_thrown_away(connection: Connection) -> bool:
    if schema.current(connection) is None:
        return is_empty(connection)
    return demo.is_demo(connection) or not (has_members(connection) or has_performances(connection))


async def _make_demo(settings: Settings) -> demo.DemoReport:
    now = SystemClock().now()
    async with made(settings) as lanes:
        with progress_bar("the demo", demo.rows_to_make()) as advance:
            return await written(
                lanes,
                lambda connection: demo.prepare(connection, now=now, time_zone=settings.time_zone, progress=advance),
            )
