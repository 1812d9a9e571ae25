"""How long somebody waits: what she waits for is cut off at her deadline, or only the waiting where it is shielded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stagedoor.resilience.deadline import Deadline


@asynccontextmanager
async def until(deadline: Deadline | None) -> AsyncIterator[None]:
    """
    Cut off what is waited for inside at *deadline*. Raises `DeadlineMissed` or `CallersDeadlineMissed`.

    So it does wherever the caller is cut off at the deadline or later, by whomever: here it is known what she waited
    for. Whoever may be cut off for something else as well has to look at her task's `cancelling`.
    """
    waiting = asyncio.timeout_at(None if deadline is None else deadline.at)
    try:
        async with waiting:
            yield
    except TimeoutError:
        if deadline is None or not waiting.expired():
            raise
        raise deadline.missed() from None
    except asyncio.CancelledError:
        if deadline is None or not deadline.is_over(asyncio.get_running_loop().time()):
            raise
        raise deadline.missed() from None
