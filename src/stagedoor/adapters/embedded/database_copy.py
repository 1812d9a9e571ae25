"""
A SQLite database is copied whole while others write to it, and appears under its name complete or not at all.

A draft is filled beside the target, checked and synced, and only then given
the name. The copy is one file, without a log beside it.
"""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

Progress = Callable[[int, int], None]
"""Told how many pages are copied, and of how many."""

PAGES_AT_ONCE = 2_048
"""Eight megabytes: often enough for a progress bar, and for Ctrl-C."""

SHARED_MEMORY = "-shm"
SIDE_FILES = ("-wal", SHARED_MEMORY, "-journal")
BUSY_SECONDS = 5.0


class CopyRefused(Exception):  # noqa: N818 -- it becomes a sentence to the operator
    """The copy cannot be made, or the file cannot be used as one; the text says why."""


@contextmanager
def draft_of(database: Path, draft: Path, *, progress: Progress) -> Iterator[sqlite3.Connection]:
    """
    Copy *database* as it is at one instant to the new file *draft*, and lend the copy to be looked at and changed.

    When the block ends, the draft is one closed file on the disk; if it
    fails, there is none. Raises `CopyRefused` where there is no room or no
    database, `sqlite3.Error`, OSError.
    """
    needed = sum(path.stat().st_size for path in (database, beside(database, "-wal")) if path.exists())
    free = shutil.disk_usage(draft.parent).free
    if free < needed:
        raise CopyRefused(
            f"the disk of {draft.parent} has {_megabytes(free)} left, and the copy may need {_megabytes(needed)}"
        )
    # For nobody else's eyes, from its first byte on: buyers and their money are in it.
    draft.touch(mode=0o600, exist_ok=False)
    try:
        with closing(reading(database)) as source, closing(sqlite3.connect(draft)) as copy:
            # A snapshot that is held: what others commit meanwhile makes the copy neither mixed nor begin again.
            source.execute("BEGIN")
            source.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            source.backup(copy, pages=PAGES_AT_ONCE, progress=lambda _, left, total: progress(total - left, total))
            source.rollback()
            copy.execute("PRAGMA journal_mode = DELETE").fetchone()
            copy.isolation_level = None
            copy.execute("BEGIN")
            yield copy
            copy.execute("COMMIT")
        _sync(draft)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        for side in SIDE_FILES:
            beside(draft, side).unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error | OSError) and _is_no_room(error):
            raise CopyRefused(f"the disk of {draft.parent} is full") from error
        raise


def name_draft(draft: Path, target: Path, *, overwrite: bool) -> None:
    """
    Give *draft* the name *target*, durably. A file of that name is replaced only if told to *overwrite* it.

    Raises `CopyRefused` if there is one otherwise; the draft is gone then.
    """
    try:
        if overwrite:
            draft.replace(target)
        else:
            _link(draft, target)
            draft.unlink()
    except FileExistsError as error:
        draft.unlink()
        raise CopyRefused(f"the file {target} exists already: name another one, or say --overwrite") from error
    _sync(target.parent)


def set_aside(database: Path, aside: Path) -> None:
    """
    Keep *database* under the name *aside* too, so that it can be replaced in one step.

    A crash leaves it under its own name, with or without the other. What is in
    its log is brought into it first; one too broken for that keeps its log
    beside it under the new name. Raises `CopyRefused` while somebody uses it.
    """
    broken = False
    try:
        # Looked at before it is opened for writing: what cannot be read must lose nothing by that.
        with closing(reading(database)) as connection:
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise CopyRefused(f"another program uses {database}: stop it first") from error
        broken = True
    except sqlite3.DatabaseError:
        broken = True
    _link(database, aside)
    if broken:
        set_logs_aside(database, aside)
    _sync(database.parent)


def set_logs_aside(database: Path, aside: Path) -> Sequence[Path]:
    """
    Take the logs of *database* away from its name, to that of *aside*; return where they are now.

    One that stays would be taken for the log of whatever gets the name next.
    """
    logs = [side for side in SIDE_FILES if beside(database, side).exists()]
    kept = [side for side in logs if side != SHARED_MEMORY]
    for side in kept:
        _link(beside(database, side), beside(aside, side))
    _sync(database.parent)
    for side in logs:
        beside(database, side).unlink()
    _sync(database.parent)
    return [beside(aside, side) for side in kept]


def reading(database: Path) -> sqlite3.Connection:
    """Open *database* for reading only. Raises `sqlite3.Error`, now or at the first read."""
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)


def beside(database: Path, suffix: str) -> Path:
    """Return the path of a file that goes with *database*."""
    return database.with_name(database.name + suffix)


def _link(path: Path, other: Path) -> None:
    """Give *path* another name, or fail with FileExistsError; there are file systems that can only copy."""
    try:
        other.hardlink_to(path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EXDEV, errno.ENOSYS}:
            raise
        other.touch(mode=0o600, exist_ok=False)
        with other.open("wb") as copy, path.open("rb") as original:
            shutil.copyfileobj(original, copy)
            copy.flush()
            os.fsync(copy.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_no_room(error: sqlite3.Error | OSError) -> bool:
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    code = getattr(error, "sqlite_errorcode", 0)
    return code == sqlite3.SQLITE_FULL or code & 0xFF == sqlite3.SQLITE_IOERR


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB"
