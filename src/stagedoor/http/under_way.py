"""A caller waits only so long for her answer; what she has begun is not lost by that."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from stagedoor.http.deadlines import CHANGE_S
from stagedoor.http.overdue import Overdue
from stagedoor.http.rejections import StillRunning
from stagedoor.kernel.clock import SECOND_MS
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId
from stagedoor.observability.unheard import heard, tell_of
from stagedoor.resilience.breaker import CircuitBreaker
from stagedoor.resilience.deadline import Deadline, current, due
from stagedoor.waiting_room.rejections import LineIsFull, RoomIsClosed, UnknownBuyer, UnknownPlace, UnknownRoom
from stagedoor.wallet.rejections import ChargeNotAllowed

T = TypeVar("T")

_SAYS_NOTHING: Final = (
    ChargeNotAllowed,
    LineIsFull,
    RoomIsClosed,
    UnknownBuyer,
    UnknownPlace,
    UnknownRoom,
)
"""
What is refused without the store having answered; any other rejection has come out of it.

Most of it from memory. Who joins is looked for among the members, by a read, before the line's store is asked for
anything: thousands of ids that nobody has must not end the trial of a store that is away. Where it is the sale that
knows no such buyer it costs a trial, and no more.
"""

Scope = tuple[BuyerId | None, str, IdempotencyKey]
"""Buyer, call, key: the same request, sent more than once."""

Work: TypeAlias = Callable[[], Coroutine[Any, Any, T] | asyncio.Future[T | Rejection]]
"""
Begins something that goes on to its end, whoever waits for it.

A coroutine gets a task of its own, unless it may be cut off and came without a key. A future is what a batch has for
this caller: to cancel it stops nothing, and a rejection that it ends with is raised.
"""


class StoppedWaiting(Fault):
    """The server is on its way out and could wait no longer for the rest of the request."""


class UnderWay:
    """
    The calls that change something and have not ended.

    Work whose caller has given up goes on to its end, so that its effect is
    whole: a task, or what is in a batch with a key, here, where `drain` waits
    for it; what is in a batch without a key there, where whoever runs the
    batches does. Only of what may be cut off no more is begun, save on trial.
    """

    def __init__(self, deadline_ms: float = CHANGE_S * SECOND_MS) -> None:
        """Give each caller *deadline_ms* to wait, unless she comes with a deadline."""
        self._deadline_s = deadline_ms / SECOND_MS
        self._under_way: set[asyncio.Future[Any]] = set()
        self._running: dict[Scope, int] = {}
        self._overdue = Overdue()

    async def settle(  # noqa: PLR0913 -- whose call it is, and how it may end
        self,
        work: Work[T],
        *,
        buyer_id: BuyerId | None,
        call: str,
        key: IdempotencyKey | None,
        guard: CircuitBreaker | None = None,
        may_be_cut_off: bool = False,
    ) -> T:
        """
        Begin *work* and return what it returns, at the deadline at the latest.

        *may_be_cut_off* says that nothing is lost where *work* ends before the
        command that it has for a batch, or behind it. Without a key it is
        awaited in the caller's own task then, which costs none, save on trial.

        Where there is a deadline, whoever gave it cuts the caller off at it;
        where there is none it is done here.

        *guard* counts how that went for the caller, a missed deadline as a
        failure whatever becomes of the work; while it is open nothing is begun,
        and `CallNotPermitted` is raised. A rejection counts as nothing, save on
        trial: there a store that says no by the rules has shown that it answers.
        A trial goes on when its caller has gone, for as long as we wait.

        A second call with the same key finds its turn in the store, where the
        first is before it, and so gets the first one's answer. Raises
        `StillRunning` when it cannot wait longer, `DeadlineMissed` or
        `CallersDeadlineMissed` for a call that was not repeated.
        """
        scope = None if key is None else (buyer_id, call, key)
        is_repeated = scope in self._running
        if guard is None:
            return await self._answer(work, scope, may_be_cut_off=may_be_cut_off, is_repeated=is_repeated)
        if guard.tries:
            trial = partial(self._try, work, scope, guard, may_be_cut_off=may_be_cut_off)
            return await self._answer(trial, scope, is_repeated=is_repeated)
        with guard.call():
            return await self._answer(work, scope, may_be_cut_off=may_be_cut_off, is_repeated=is_repeated)

    async def _try(self, work: Work[T], scope: Scope | None, guard: CircuitBreaker, *, may_be_cut_off: bool) -> T:
        hers = current()
        assert hers is not None
        # With as long as we wait, however long she does, and whatever she waited for before: those who are in a hurry
        # would take every trial and show nothing, and the sale stay shut for as long as they come.
        with guard.call():
            try:
                # Not as a repeat, whatever she is told: to the guard one that takes too long has failed.
                return await self._answer_by(
                    hers.anew(self._overdue.loop.time()), work, scope, may_be_cut_off=may_be_cut_off
                )
            except Rejection as rejection:
                if isinstance(rejection, _SAYS_NOTHING):
                    raise
                refusal = rejection
        raise refusal

    def _answer(
        self, work: Work[T], scope: Scope | None, *, may_be_cut_off: bool = False, is_repeated: bool = False
    ) -> Awaitable[T]:
        # Begins the work at once; what is returned is to be awaited in the caller's own `with`. A coroutine around it
        # would cost every call.
        deadline = current()
        if deadline is None:
            ours = Deadline(self._overdue.loop.time() + self._deadline_s)
            return self._answer_by(ours, work, scope, may_be_cut_off=may_be_cut_off, is_repeated=is_repeated)
        begun = work()
        if scope is None and isinstance(begun, asyncio.Future):
            assert not isinstance(begun, asyncio.Task)
            # Without a second future between her and the batch: every join would pay for it. A key needs one, for it is
            # known as long as its request is under way.
            answer: Awaitable[T | Rejection] = heard(begun)
        elif scope is None and may_be_cut_off:
            assert not isinstance(begun, asyncio.Future)
            answer = begun
        else:
            answer = heard(self._let_go_on(begun, scope))
        return self._unless_cut_off(answer, deadline, StillRunning if is_repeated else deadline.missed)

    async def _answer_by(
        self,
        deadline: Deadline,
        work: Work[T],
        scope: Scope | None,
        *,
        may_be_cut_off: bool,
        is_repeated: bool = False,
    ) -> T:
        """Answer by a *deadline* that nobody else cuts the caller off at."""
        with due(deadline):
            answer = self._answer(work, scope, may_be_cut_off=may_be_cut_off, is_repeated=is_repeated)
            return await self._overdue.in_time(answer, deadline.at, deadline.missed)

    async def _unless_cut_off(
        self, answer: Awaitable[T | Rejection], deadline: Deadline, late: Callable[[], Exception]
    ) -> T:
        """Return the *answer*, or raise the rejection that it is, or *late* where she was cut off at her deadline."""
        try:
            outcome = await answer
        except asyncio.CancelledError:
            if not deadline.is_over(self._overdue.loop.time()):
                raise
            raise late() from None
        if isinstance(outcome, Rejection):
            raise outcome
        return outcome

    def _let_go_on(
        self, begun: Coroutine[Any, Any, T] | asyncio.Future[T | Rejection], scope: Scope | None
    ) -> asyncio.Future[T | Rejection]:
        """Let what was *begun* go on whoever waits for it; return what to wait for, which is not what runs."""
        loop = self._overdue.loop
        running = begun if isinstance(begun, asyncio.Future) else loop.create_task(begun)
        answer: asyncio.Future[T | Rejection] = loop.create_future()
        self._under_way.add(running)
        if scope is not None:
            self._running[scope] = self._running.get(scope, 0) + 1
        running.add_done_callback(partial(self._ended, answer, scope))
        return answer

    async def drain(self) -> None:
        """Return when everything with a task of its own or a key has ended, however it did."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def _ended(
        self, answer: asyncio.Future[T | Rejection], scope: Scope | None, done: asyncio.Future[T | Rejection]
    ) -> None:
        self._under_way.discard(done)
        if scope is not None:
            self._running[scope] -= 1
            if not self._running[scope]:
                del self._running[scope]
        if answer.done():
            tell_of(done)
        elif done.cancelled():
            answer.cancel()
        elif (error := done.exception()) is not None:
            answer.set_exception(error)
        else:
            answer.set_result(done.result())
