"""`stagedoor migrate` and `stagedoor demo-reset`: done to a database as a whole, while nobody serves from it."""

import asyncio
import time

import typer
from sqlalchemy import Connection

from stagedoor.adapters.sql import demo, schema
from stagedoor.adapters.sql.seeding import has_members, has_performances
from stagedoor.bootstrap.database import (
    existing,
    is_empty,
    is_there,
    made,
    migrated,
    nobody_serving,
    opened,
    remove_file,
    written,
)
from stagedoor.bootstrap.preparing import change_agreement
from stagedoor.cli.options import SETTING_FLAGS, Flags, command, settings_of
from stagedoor.cli.progress import progress_bar
from stagedoor.cli.sentences import Refused, say
from stagedoor.settings import Settings


def add_data_commands(app: typer.Typer, *, panel: str) -> None:
    """Give *app* the commands of this file."""
    command(app, "migrate", panel=panel)(migrate)
    command(app, "agree", panel=panel, flags=SETTING_FLAGS)(agree)
    command(app, "demo-reset", panel=panel)(demo_reset)


def migrate(flags: Flags) -> None:
    """Bring the database's schema up to date; `stagedoor serve` does it by itself, but for a server's."""
    settings = settings_of(flags)

    async def write() -> bool:
        async with opened(settings) as database:
            return await migrated(database.lanes)

    with nobody_serving(settings):
        changed = asyncio.run(write())
    done = "now has" if changed else "already had"
    say(f"{settings.database_shown} {done} schema {schema.HEAD}.")


def agree(flags: Flags) -> None:
    """
    Let this command's settings be those that all who serve from the database server have to have in common.

    The first process that serves decides it otherwise. Nobody may serve meanwhile.
    """
    settings = settings_of(flags)
    if not settings.is_cluster:
        raise Refused(f"one process serves from {settings.database_shown}: there is nobody to agree with")

    async def write() -> None:
        async with existing(settings) as database:
            await change_agreement(database, settings)

    asyncio.run(write())
    say(f"Whoever serves from {settings.database_shown} has to have these settings.")


def demo_reset(flags: Flags) -> None:
    """
    Throw the demo's data away and make it afresh.

    Data that are not the demo's are left alone.
    """
    settings = settings_of(flags, demo=True)
    if settings.is_cluster:
        raise Refused(
            f"{settings.database_shown} is a server's database: make an empty one in its place, and "
            "`stagedoor migrate` and `stagedoor serve --demo` make the demo in it"
        )
    began = time.monotonic()
    with nobody_serving(settings):
        asyncio.run(_refuse_other_data(settings))
        remove_file(settings)
        report = asyncio.run(_make_demo(settings))
    say(
        f"The demo is made afresh in {settings.database_shown}: {report.members_made:,} members and "
        f"{report.performances_made} performances, in {time.monotonic() - began:.1f} s."
    )


async def _refuse_other_data(settings: Settings) -> None:
    if not is_there(settings):
        return
    async with opened(settings) as database:
        if not await database.lanes.reading(_may_be_thrown_away):
            raise Refused(
                f"{settings.database_shown} holds data that are not the demo's: remove it yourself if you "
                "want to be rid of it"
            )


def _may_be_thrown_away(connection: Connection) -> bool:
    if schema.current(connection) is None:
        return is_empty(connection)
    return demo.is_demo(connection) or not (has_members(connection) or has_performances(connection))


async def _make_demo(settings: Settings) -> demo.DemoReport:
    async with made(settings) as database:
        now = database.clock.now()
        with progress_bar("the demo", demo.rows_to_make()) as advance:
            return await written(
                database.lanes,
                lambda connection: demo.prepare(connection, now=now, time_zone=settings.time_zone, progress=advance),
            )
