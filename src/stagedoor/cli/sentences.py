"""What goes wrong is told in one sentence on standard error; a stack trace is for what nobody expected."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from sqlalchemy.exc import DBAPIError

from stagedoor.adapters.redis.line_store import ForeignLine
from stagedoor.adapters.sql.operator_keys import KeyRefused
from stagedoor.adapters.sql.schema import ForeignDatabase, UnknownSchema
from stagedoor.bootstrap.database import DatabaseRefused, FileInUse, LogWithoutDatabase
from stagedoor.kernel.errors import Fault
from stagedoor.settings import SettingsError
from stagedoor.waiting_room.rejections import RoomIsClosed

FAILED = 1
MISUSED = 2
INTERRUPTED = 130


class Refused(Exception):  # noqa: N818 -- it is an answer to the operator
    """The command cannot do what was asked; its text is the sentence that says why, and what to do."""


class Misused(Refused):
    """The command was asked for something that no state of the world makes possible."""


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn what is known to go wrong into a sentence and an exit code."""
    try:
        yield
    except KeyboardInterrupt:
        say_wrong("Interrupted.")
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        sentence = sentence_for(error)
        if sentence is None:
            raise
        say_wrong(sentence)
        raise typer.Exit(MISUSED if isinstance(error, _MISUSES) else FAILED) from error


def sentence_for(error: Exception) -> str | None:
    """Return what the operator is told of *error*, None for a defect: that one needs its stack trace."""
    sentence: str | None = None
    match error:
        case SettingsError() | OSError(filename=str()):
            # The name of a setting or a file comes first, as that has to be written.
            return (
                str(error) if isinstance(error, SettingsError) else f"{error.filename} cannot be used: {error.strerror}"
            )
        case Refused() | KeyRefused() | DatabaseRefused() | ForeignLine():
            sentence = str(error)
        case FileInUse():
            sentence = f"another stagedoor serves from {error} already: stop it, or name another STAGEDOOR_DATABASE_URL"
        case LogWithoutDatabase():
            sentence = (
                f"the file {error} is the log of a database that is not beside it: bring that back, or move it away to "
                "begin anew"
            )
        case UnknownSchema(found=found):
            sentence = f"the database is a newer stagedoor's (its schema is {found}): use that one, or another file"
        case ForeignDatabase():
            sentence = "the database holds something else than stagedoor's data: name another STAGEDOOR_DATABASE_URL"
        case RoomIsClosed():
            sentence = "the room is closed: it can be opened again, but not paused"
        case Fault():
            sentence = f"the database failed: {error}"
        case DBAPIError(orig=cause):
            sentence = f"the database failed: {cause}"
    return None if sentence is None else f"{sentence[0].upper()}{sentence[1:]}"


_MISUSES = (SettingsError, Misused)


def say(line: str = "") -> None:
    """Print a line for the person at the terminal, or for the program that reads from it, at once."""
    typer.echo(line)


def say_wrong(sentence: str) -> None:
    """Print *sentence* on standard error."""
    end = "" if sentence.endswith((".", "?")) else "."
    typer.echo(f"stagedoor: {sentence}{end}", err=True)


def actor() -> str:
    """Return how the audit names whoever runs this command."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        # A container may run as a number that has no name.
        return f"cli:{os.getuid()}"
