"""Waiting for something that can be seen, a bounded number of looks long."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

LOOKS = 400
BETWEEN_LOOKS_SECONDS = 0.025
LOOKS_UNTIL_RIGHT = 120


class NeverSeenError(AssertionError):
    """The last look still did not show it."""


async def until(
    look: Callable[[], Awaitable[T]],
    shows: Callable[[T], bool],
    *,
    looks: int = LOOKS,
    between_s: float = BETWEEN_LOOKS_SECONDS,
) -> T:
    """Look again and again, at most *looks* times, and return the first look that *shows* it."""
    seen = await look()
    for _ in range(looks):
        if shows(seen):
            return seen
        await asyncio.sleep(between_s)
        seen = await look()
    raise NeverSeenError(f"after {looks} looks: {seen}")


async def come_right(wrong: Callable[[], Awaitable[list[str]]]) -> list[str]:
    """Return what is *wrong*, once nothing is or it had time enough to come right: lists may lag behind a moment."""
    found = await wrong()
    for _ in range(LOOKS_UNTIL_RIGHT):
        if not found:
            break
        await asyncio.sleep(BETWEEN_LOOKS_SECONDS)
        found = await wrong()
    return found


async def watch(look: Callable[[], Awaitable[T]], *, looks: int) -> list[T]:
    """Look *looks* times and return all that was seen."""
    seen = []
    for _ in range(looks):
        seen.append(await look())
        await asyncio.sleep(BETWEEN_LOOKS_SECONDS)
    return seen


async def always(look: Callable[[], Awaitable[T]], shows: Callable[[T], bool], *, looks: int) -> None:
    """Look *looks* times; every look has to show it."""
    wrong = [str(seen) for seen in await watch(look, looks=looks) if not shows(seen)]
    assert wrong == []


async def at_instant(instant_ms: int) -> None:
    """Return at *instant_ms* by the wall clock: for what has to happen at a deadline, not after something else."""
    await asyncio.sleep(max(0.0, instant_ms / 1_000 - time.time()))
