"""The current deadline, kept by whoever waits for a way to a dependency."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stagedoor.observability.until import until
from stagedoor.resilience.deadline import current


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """
    Cut what is inside off at the current deadline, if there is one: nothing may have happened by then.

    Raises `TooLate` where it is over before that begins, and `DeadlineMissed`
    or `CallersDeadlineMissed` where it is in the middle of it.
    """
    deadline = current()
    if deadline is not None:
        deadline.begin(asyncio.get_running_loop().time())
    async with until(deadline):
        yield
