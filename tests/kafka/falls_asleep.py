"""The product, but a relay stops its own process once: after it has sent its first events, and before it notes that."""

import asyncio
import os
import signal
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from stagedoor.__main__ import main
from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql.outbox import SqlOutbox
from stagedoor.kernel.ids import EventId

_times = count()
_published = SqlOutbox.published
_files: list[SqliteFile] = []
_point_at = SqliteFile.__init__


def known(file: SqliteFile, path: Path) -> None:
    """Keep the file in mind."""
    _point_at(file, path)
    _files.append(file)


async def sleepy(outbox: SqlOutbox, event_ids: Sequence[EventId], **how: Any) -> None:  # noqa: ANN401 -- handed on
    """Sleep until somebody wakes this process, then go on as if nothing had been."""
    if next(_times) == 0:
        # Not in the middle of a transaction: the file would be locked for everybody else while it sleeps.
        while any(file._turn.locked() for file in _files):  # noqa: ASYNC110, SLF001 -- nobody says so
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGSTOP)
    await _published(outbox, event_ids, **how)


def run() -> None:
    """Run the product like that."""
    SqliteFile.__init__ = known  # type: ignore[method-assign, assignment]
    SqlOutbox.published = sleepy  # type: ignore[assignment, method-assign]
    main()


if __name__ == "__main__":
    run()
