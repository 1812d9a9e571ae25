"""
The product, but each process waits between reading the keys of joins and storing them, so that others read too.

At its first joins it waits until another process has read the keys of its own,
however long that takes; after that, for a moment.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from stagedoor.adapters.redis.line_store import Renewal
from stagedoor.adapters.redis.room_line import RoomLine
from stagedoor.kernel.ids import BuyerId
from tests.e2e.harness import removed_guard
from tests.e2e.harness.until import until

WAIT_S = 0.5
PROCESSES = 2
READ = "keys-read-by-"

remember = RoomLine.remember


async def remember_late(line: RoomLine, keys: Sequence[Renewal]) -> Mapping[BuyerId, bytes]:
    """Store *keys* after a wait."""
    # The folders of all processes lie beside each other.
    here = Path.cwd().parent
    mine = here / f"{READ}{os.getpid()}"
    if mine.exists():
        await asyncio.sleep(WAIT_S)
    elif keys:
        mine.touch()

        async def processes() -> int:
            return _have_read(here)

        await until(processes, lambda count: count >= PROCESSES)
    return await remember(line, keys)


def _have_read(folder: Path) -> int:
    return len([*folder.glob(f"{READ}*")])


def run() -> None:
    """Run the product like that."""
    removed_guard.replace(RoomLine, "remember", remember_late)
    removed_guard.run()


if __name__ == "__main__":
    run()
