"""Deadlines, by the clock of the loop that a test runs on."""

import asyncio

from stagedoor.resilience.deadline import Deadline


def ours(seconds: float) -> Deadline:
    """Return that of all who bring none, *seconds* from now."""
    return Deadline(asyncio.get_running_loop().time() + seconds)


def hers(seconds: float, *, ours_s: float = 7_200.0) -> Deadline:
    """Return one that a caller has set herself, where ours is *ours_s* from now."""
    now = asyncio.get_running_loop().time()
    return Deadline(now + seconds, ours_at=now + ours_s)
