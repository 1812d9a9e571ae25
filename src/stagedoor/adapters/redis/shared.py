"""Many who want the same thing done wait for one doing of it."""

import asyncio
from collections.abc import Awaitable, Callable

from stagedoor.observability.unheard import to_its_end
from stagedoor.resilience.deadline import due


class Shared:
    """
    A step that is taken once for all who asked while it was last under way.

    Whoever asks gets one that began after she asked. Idle, she waits for
    nobody. A caller that gives up leaves it to the others.
    """

    def __init__(self, step: Callable[[], Awaitable[object]]) -> None:
        """Take *step*, which raises nothing but `Fault`."""
        self._step = step
        self._current: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Return when the step was taken. Raises its `Fault`."""
        if self._next is None:
            # Nor does it go by the deadline of whoever happened to ask first.
            with due(None):
                self._next = asyncio.create_task(self._after(self._current))
        await to_its_end(self._next)

    async def _after(self, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            # However that ended: who waited for it was told, and is let down; who comes after it is not.
            await asyncio.wait({before})
        self._current, self._next = self._next, None
        await self._step()
