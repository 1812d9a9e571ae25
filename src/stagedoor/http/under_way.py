"""A caller waits only so long for her answer; the work itself is never cut short by that."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from stagedoor.http.rejections import StillRunning
from stagedoor.kernel.clock import SECOND_MS
from stagedoor.kernel.errors import DeadlineMissed, Fault
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId

T = TypeVar("T")

DEADLINE_MS = 10_000

Scope = tuple[BuyerId | None, str, IdempotencyKey]
"""Buyer, call, key: the same request, sent more than once."""


class StoppedWaiting(Fault):
    """The server is on its way out and could wait no longer for the rest of the request."""


class UnderWay:
    """
    The calls that change something and have not ended.

    Work whose caller has given up goes on here to its end, so that its effect
    is whole; `drain` waits for it.
    """

    def __init__(self, deadline_ms: int = DEADLINE_MS) -> None:
        """Give each caller *deadline_ms* to wait."""
        self._deadline_s = deadline_ms / SECOND_MS
        self._tasks: set[asyncio.Task[Any]] = set()
        self._running: dict[Scope, int] = {}

    async def settle(
        self, work: Coroutine[Any, Any, T], *, buyer_id: BuyerId | None, call: str, key: IdempotencyKey | None
    ) -> T:
        """
        Return what *work* returns, at the deadline at the latest.

        A second call with the same key finds its turn in the store, where the
        first is before it, and so gets the first one's answer. Raises
        `StillRunning` when it cannot wait longer, `DeadlineMissed` for a call
        that was not repeated.
        """
        scope = None if key is None else (buyer_id, call, key)
        is_repeat = scope in self._running
        task = asyncio.get_running_loop().create_task(work)
        self._begin(task, scope)
        waiting = asyncio.timeout(self._deadline_s)
        try:
            async with waiting:
                return await asyncio.shield(task)
        except TimeoutError:
            if not waiting.expired():
                raise
            if is_repeat:
                raise StillRunning from None
            raise DeadlineMissed("the work was not done before the caller's deadline") from None

    async def drain(self) -> None:
        """Return when everything under way has ended, however it did."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, task: asyncio.Task[Any], scope: Scope | None) -> None:
        self._tasks.add(task)
        if scope is not None:
            self._running[scope] = self._running.get(scope, 0) + 1

        def ended(task: asyncio.Task[Any]) -> None:
            self._tasks.discard(task)
            if scope is not None:
                self._running[scope] -= 1
                if not self._running[scope]:
                    del self._running[scope]
            if not task.cancelled():
                # Its caller may have gone: asking for the exception here keeps the loop from calling it lost.
                task.exception()

        task.add_done_callback(ended)
