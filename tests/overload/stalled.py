"""The product, but its database says nothing for as long as there is a file `stall` in the working folder."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from stagedoor.adapters.embedded import sqlite_file
from stagedoor.cli import main
from tests.overload import STALL

T = TypeVar("T")

LOOK_S = 0.05

answered = sqlite_file._translated  # noqa: SLF001 -- every step on the file goes through it


async def answered_late(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """Run *work* in its thread, once the database says something again."""

    def later() -> T:
        while Path(STALL).exists():
            time.sleep(LOOK_S)
        return work()

    return await answered(threads, later)


sqlite_file._translated = answered_late  # noqa: SLF001
main()
