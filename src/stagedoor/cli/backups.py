"""`stagedoor backup` and `stagedoor restore`: all data in one file of one instant, and back."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from stagedoor.bootstrap.copies import Contents, CopyRefused, Progress, back_up, put_back
from stagedoor.bootstrap.database import nobody_serving
from stagedoor.cli.options import Flags, command, settings_of
from stagedoor.cli.progress import progress_bar
from stagedoor.cli.sentences import Refused, actor, say
from stagedoor.cli.tables import local_time
from stagedoor.settings import Settings

_TARGET = typer.Argument(metavar="TARGET", help="The file to write.", show_default=False)
_SOURCE = typer.Argument(metavar="SOURCE", help="A file that `stagedoor backup` wrote.", show_default=False)


def add_backup_commands(app: typer.Typer, *, panel: str) -> None:
    """Give *app* the commands of this file."""
    command(app, "backup", panel=panel, epilog="Example: `stagedoor backup /srv/backups/friday.db`")(backup)
    command(app, "restore", panel=panel, epilog="Example: `stagedoor restore /srv/backups/friday.db`")(restore)


def backup(
    flags: Flags,
    target: Annotated[Path, _TARGET],
    *,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace TARGET if it exists.")] = False,
) -> None:
    """Write all data, of one instant, to one file, while the server goes on selling."""
    settings = settings_of(flags)
    began = time.monotonic()
    with told_why(settings.database_shown), page_bar("the backup") as progress:
        contents = back_up(settings, target, overwrite=overwrite, progress=progress)
    say(
        f"Everything that was answered when this began is in {target.absolute()}, {_size(target)}: {summary(contents)}."
    )
    say(f"It took {time.monotonic() - began:.1f} s. `stagedoor restore` brings it back.")


def restore(flags: Flags, source: Annotated[Path, _SOURCE]) -> None:
    """
    Put a backup in the place of the database, which is kept beside it; nobody may serve from it meanwhile.

    Every queue token of before is refused from then on: buyers ask anew, and
    who stood in line at the backup gets her place back.
    """
    settings = settings_of(flags)
    with nobody_serving(settings), told_why(str(source)), page_bar("the database") as progress:
        contents, aside = put_back(settings, source, actor=actor(), progress=progress)
    say(f"{settings.database_shown} is what it was at {_instant(contents, settings)}: {summary(contents)}.")
    if aside is not None:
        say(f"What was there before is kept in {aside.absolute()}.")
    say("`stagedoor check` looks at every invariant of it.")


@contextmanager
def told_why(database: str) -> Iterator[None]:
    """Say in a sentence why a copy of *database* could not be made."""
    try:
        yield
    except CopyRefused as error:
        raise Refused(str(error)) from error
    except sqlite3.OperationalError as error:
        raise Refused(f"the file {database} cannot be copied: {error}") from error
    except sqlite3.DatabaseError as error:
        raise Refused(f"the file {database} is not a database, or a damaged one: {error}") from error


@contextmanager
def page_bar(what: str) -> Iterator[Progress]:
    """Show how much of a copy is done; how much there is to do is known when it has begun."""
    done = 0
    with progress_bar(what, None) as advance:

        def show(pages: int, total: int) -> None:
            nonlocal done
            advance(pages - done, total)
            done = pages

        yield show


def summary(contents: Contents) -> str:
    """Say in short what a copy holds."""
    return f"{contents.orders:,} orders and {contents.places:,} living places"


def _instant(contents: Contents, settings: Settings) -> str:
    return (
        "a time before any server" if contents.alive_at is None else local_time(contents.alive_at, settings.time_zone)
    )


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1_000_000:,.1f} MB"
