"""`stagedoor check`: everything that has to be true of the stored data, looked at while a server may be at work."""

import asyncio
from collections.abc import Sequence

import typer

from stagedoor.adapters.sql.invariants import check_all
from stagedoor.bootstrap.database import existing
from stagedoor.cli.options import DATA_FLAGS, SETTING_FLAGS, Flags, command, settings_of
from stagedoor.cli.sentences import FAILED, say
from stagedoor.cli.tables import show_table
from stagedoor.observability.invariants import Finding
from stagedoor.settings import Settings

# A limit that the server was given as a flag has to be told here too.
LIMIT_FLAGS = tuple(each for each in SETTING_FLAGS if each.name == "seats_per_buyer")


def add_check(app: typer.Typer, *, panel: str) -> None:
    """Give *app* the command of this file."""
    command(app, "check", panel=panel, flags=(*LIMIT_FLAGS, *DATA_FLAGS))(check)


def check(flags: Flags) -> None:
    """
    Look at all stored data: no seat sold twice, no won lost, nobody admitted out of turn.

    Shows each invariant with how many things it was checked on; the exit code is 1 if any does not hold.
    """
    findings = asyncio.run(find(settings_of(flags)))
    show_table(
        ("invariant", "checked", "violations", "what has to be true"),
        [(each.name, f"{each.checked:,}", f"{each.violation_count:,}", each.sentence) for each in findings],
    )
    broken = [each for each in findings if not each.holds]
    if not broken:
        say(f"\nAll {len(findings)} invariants hold.")
        return
    for each in broken:
        say(f"\n{each.name} does not hold. {each.sentence}")
        for violation in each.violations:
            say(f"  {violation}")
        if each.violation_count > len(each.violations):
            say(f"  and {each.violation_count - len(each.violations):,} more")
    say(f"\n{len(broken)} of {len(findings)} invariants do not hold.")
    raise typer.Exit(FAILED)


async def find(settings: Settings) -> Sequence[Finding]:
    """Return what every check comes to, all of them of one instant."""
    async with existing(settings) as database:
        now = database.clock.now()
        return await database.lanes.reading(
            lambda connection: check_all(connection, now=now, seats_per_buyer=settings.seats_per_buyer)
        )
