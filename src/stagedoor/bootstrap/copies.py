"""A database file's backup, and its way back. A server's database is backed up with the server's own tools."""

import secrets
from pathlib import Path

from stagedoor.adapters.clock import SystemClock
from stagedoor.adapters.embedded import backup
from stagedoor.adapters.embedded.backup import Contents
from stagedoor.adapters.embedded.database_copy import CopyRefused, Progress
from stagedoor.bootstrap.database import DatabaseRefused
from stagedoor.settings import Settings

__all__ = ["Contents", "CopyRefused", "Progress", "back_up", "put_back"]

EPOCH_BYTES = 8


def back_up(settings: Settings, target: Path, *, overwrite: bool, progress: Progress) -> Contents:
    """Write all of the database, as it is now, to *target*. Raises as `backup.back_up`, and `DatabaseRefused`."""
    _refuse_server(settings)
    if not settings.database_file.is_file():
        raise DatabaseRefused(f"there is no database {settings.database_file} yet, so there is nothing to back up")
    return backup.back_up(settings.database_file, target, overwrite=overwrite, progress=progress)


def put_back(settings: Settings, source: Path, *, actor: str, progress: Progress) -> tuple[Contents, Path | None]:
    """Put *source* in the database's place, under a new epoch. Raises `DatabaseRefused`, what `backup.restore` does."""
    _refuse_server(settings)
    return backup.restore(
        source,
        settings.database_file,
        epoch=secrets.token_hex(EPOCH_BYTES),
        at=SystemClock().now(),
        actor=actor,
        progress=progress,
    )


def _refuse_server(settings: Settings) -> None:
    if settings.is_cluster:
        raise DatabaseRefused(
            f"{settings.database_shown} is a server's database: back it up, and bring it back, with the server's tools"
        )
