"""Deadlines, by the clock of the loop that a test runs on."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from stagedoor.http.overdue import Overdue
from stagedoor.resilience.deadline import Deadline, due

T = TypeVar("T")


def ours(seconds: float) -> Deadline:
    """Return that of all who bring none, *seconds* from now."""
    return Deadline(asyncio.get_running_loop().time() + seconds)


def hers(seconds: float, *, ours_s: float = 7_200.0) -> Deadline:
    """Return one that a caller has set herself, *seconds* from now, where we would wait for *ours_s*."""
    return Deadline(asyncio.get_running_loop().time() + seconds, is_callers=True, ours_s=ours_s)


async def by(deadline: Deadline, call: Coroutine[Any, Any, T]) -> T:
    """Do *call* as the edge has every call done: whoever asks is cut off at the *deadline*."""
    with due(deadline):
        return await Overdue().in_time(call, deadline.at, deadline.missed)
