"""Deadlines, by the clock of the loop that a test runs on."""

import asyncio

from stagedoor.resilience.deadline import Deadline


def ours(seconds: float) -> Deadline:
    """Return that of all who bring none, *seconds* from now."""
    return Deadline(asyncio.get_running_loop().time() + seconds)


def hers(seconds: float, *, ours_s: float = 7_200.0) -> Deadline:
    """Return one that a caller has set herself, *seconds* from now, where we would wait for *ours_s*."""
    return Deadline(asyncio.get_running_loop().time() + seconds, is_callers=True, ours_s=ours_s)
