"""One request on the long way: from when on it is a load and its time runs, and when both are over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from time import perf_counter

from stagedoor.http.call import Call
from stagedoor.http.overdue import Caller, Overdue
from stagedoor.http.reading import BODY_WAIT_S_MAX
from stagedoor.resilience.deadline import Deadline, due
from stagedoor.resilience.priority import Priority


class Turn:
    """
    A request that comes in pieces.

    It begins once all of it is here: a client who is slow to send is no load,
    and does not lose the time that the call has. It has been in time once its
    answer begins, and is no load any more: how long that takes to send is the
    client's affair.
    """

    def __init__(self, call: Call, priority: Priority, overdue: Overdue, *, changes: bool) -> None:
        """Begin nothing yet; *overdue* watches whoever waits. *changes* says whether the call changes something."""
        self._call = call
        self._priority = priority
        self._changes = changes
        self._load = call.services.load
        self._deadlines = call.services.deadlines
        self._overdue = overdue
        self._deadline = Deadline(overdue.loop.time() + BODY_WAIT_S_MAX + self._deadlines.change_s)
        self._caller: Caller | None = None
        self._began: float | None = None
        self._is_load = False
        self._due = ExitStack()

    def may_begin(self) -> bool:
        """Say whether the call is let in."""
        return not self._load.sheds(self._priority) and self._load.has_room(self._priority, perf_counter())

    def begin(self) -> None:
        """Count it and let its time run. Raises `Unreadable` for a deadline that is none."""
        now = self._overdue.loop.time()
        self._deadline = self._deadlines.of(self._call.scope["headers"], now, changes=self._changes)
        self._due.enter_context(due(self._deadline))
        self._reschedule(self._deadline.at)
        self._began = perf_counter()
        self._load.begin(self._priority, self._began)
        self._is_load = True

    def answered(self) -> None:
        """Let it be in time and a load no longer, whatever comes now."""
        self._reschedule(None)
        self._unload()

    def end(self) -> None:
        """Count its end, if it was counted at all and has not ended with its answer."""
        self._due.close()
        self._unload()

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """End what is done inside at the deadline. Raises `DeadlineMissed` or `CallersDeadlineMissed`."""
        caller = self._caller = self._overdue.watch(self._deadline.at)
        try:
            yield
        except asyncio.CancelledError:
            if not caller.cuts:
                raise
            raise self._deadline.missed() from None
        finally:
            self._overdue.let_go(caller)
            self._caller = None

    def _unload(self) -> None:
        if self._is_load:
            self._is_load = False
            assert self._began is not None
            self._load.end(self._priority, self._began)

    def _reschedule(self, at: float | None) -> None:
        if self._caller is not None:
            self._overdue.move(self._caller, at)
