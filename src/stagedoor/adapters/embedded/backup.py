"""
A backup is one file of one instant; restored, it is the house of then under a new epoch.

The numbers that were given out after the backup are given out again. Tokens
of before name them too, so none of those is believed any more: whoever stood
in line at the backup asks for a place and gets her own back, at her number.
"""

import os
import sqlite3
import stat
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from stagedoor.adapters.embedded.database_copy import (
    SIDE_FILES,
    CopyRefused,
    Progress,
    beside,
    draft_of,
    name_draft,
    reading,
    set_aside,
    set_logs_aside,
)
from stagedoor.adapters.sql import schema
from stagedoor.kernel.clock import Instant

RESTORED = "database.restore"
"""The audit's word for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """
    What a copy holds, in short.

    *alive_at* is the last instant, to a fraction of a second, at which a server
    could serve from what was copied; None if none ever did.
    """

    alive_at: Instant | None
    orders: int
    places: int


def back_up(database: Path, target: Path, *, overwrite: bool, progress: Progress) -> Contents:
    """
    Write all of *database*, as it is now, to the file *target*, while a server may be at work on it.

    Raises `CopyRefused` with the reason; OSError, `sqlite3.Error` for what nobody foresaw.
    """
    database, target = database.resolve(), target.resolve()
    _refuse_target(database, target, overwrite=overwrite)
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    with draft_of(database, draft, progress=progress) as copy:
        _refuse_damage(copy, database)
        contents = _contents(copy)
    name_draft(draft, target, overwrite=overwrite)
    return contents


def restore(  # noqa: PLR0913 -- two files, and what is written down of it
    source: Path, database: Path, *, epoch: str, at: Instant, actor: str, progress: Progress
) -> tuple[Contents, Path | None]:
    """
    Put what is in the backup *source* in the place of *database*; return what it is, and where the old one is kept.

    Nobody may serve from *database*: the caller holds its lock. *epoch* is the
    new one of its line. A crash leaves the old database or the new one, never
    neither. Raises `CopyRefused` with the reason; OSError, `sqlite3.Error`.
    """
    # Where the path is a link it stays one: the file it leads to is what is replaced.
    database = database.resolve()
    if source.exists() and database.exists() and source.samefile(database):
        raise CopyRefused(f"the file {source} is the database itself")
    refuse_what_is_no_backup(source)
    draft = beside(database, ".restoring")
    draft.unlink(missing_ok=True)
    with draft_of(source, draft, progress=progress) as copy:
        contents = _contents(copy)
        copy.execute("UPDATE installation SET line_epoch = ?", (epoch,))
        detail = msgspec.json.encode({"backup_alive_at": contents.alive_at}).decode()
        entry = (at, actor, RESTORED, f"database:{database.name}"[:100], detail)
        copy.execute("INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)", entry)
    old_name = _free_name(beside(database, f".before-{at}"))
    if not database.exists():
        # Its log may still be there, with all that is left of it.
        aside: Path | None = next(iter(set_logs_aside(database, old_name)), None)
    else:
        aside = old_name
        _pass_on_rights(database, draft)
        try:
            set_aside(database, aside)
        except BaseException:
            draft.unlink()
            raise
    name_draft(draft, database, overwrite=True)
    return contents, aside


def refuse_what_is_no_backup(source: Path) -> None:
    """Raise `CopyRefused` unless *source* is a sound database of this version's schema."""
    if not source.is_file():
        raise CopyRefused(f"there is no file {source}")
    try:
        with closing(reading(source)) as connection:
            _refuse_damage(connection, source)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise CopyRefused(f"the file {source} cannot be read: {error}") from error
        raise CopyRefused(f"the file {source} is not a database, or a damaged one: {error}") from error


def _refuse_target(database: Path, target: Path, *, overwrite: bool) -> None:
    if not target.parent.is_dir():
        raise CopyRefused(f"there is no folder {target.parent}: make it first")
    if target.is_dir():
        raise CopyRefused(f"the target {target} is a folder: name a file in it")
    if target.exists() and target.samefile(database):
        raise CopyRefused(f"the target {target} is the database itself: name another file")
    in_use = [beside(target, side) for side in SIDE_FILES if beside(target, side).exists()]
    if in_use:
        raise CopyRefused(f"the file {in_use[0]} shows that {target} is a database in use: name another target")
    if target.exists() and not overwrite:
        raise CopyRefused(f"the file {target} exists already: name another one, or say --overwrite")


def _refuse_damage(connection: sqlite3.Connection, path: Path) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "alembic_version" not in tables or "installation" not in tables:
        raise CopyRefused(f"the file {path} holds something else than stagedoor's data")
    [version] = [found for (found,) in connection.execute("SELECT version_num FROM alembic_version")] or [None]
    if version != schema.HEAD:
        raise CopyRefused(f"the schema of {path} is {version}, and this stagedoor needs {schema.HEAD}")
    [found] = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise CopyRefused(f"the file {path} is damaged: {' '.join(str(found).split())}")


def _contents(connection: sqlite3.Connection) -> Contents:
    def one(query: str) -> int | None:
        row = connection.execute(query).fetchone()
        return None if row is None else row[0]

    alive_at = one("SELECT alive_at FROM clock_stop")
    return Contents(
        alive_at=None if alive_at is None else Instant(alive_at),
        orders=one("SELECT COUNT(*) FROM purchase") or 0,
        places=one("SELECT COUNT(*) FROM place WHERE living_buyer_id IS NOT NULL") or 0,
    )


def _pass_on_rights(database: Path, draft: Path) -> None:
    """Let whoever could serve from *database* serve from *draft*, also where it is not her who restores."""
    rights = database.stat()
    draft.chmod(stat.S_IMODE(rights.st_mode))
    with suppress(PermissionError):
        os.chown(draft, rights.st_uid, rights.st_gid)


def _free_name(wanted: Path) -> Path:
    count, free = 0, wanted
    while free.exists():
        count += 1
        free = beside(wanted, f"-{count}")
    return free
