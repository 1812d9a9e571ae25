"""What arrives while the last batch is under way becomes the next one: less work when busy, no wait when idle."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

from stagedoor.kernel.errors import Fault, Overloaded, TooLate
from stagedoor.observability.unheard import tell
from stagedoor.resilience.deadline import Deadline, current, due, latest

Command = TypeVar("Command")
Outcome = TypeVar("Outcome")

QUIET_ROUNDS = 3
"""From a socket to here a request takes this many rounds of the event loop: nothing more is on its way then."""

GATHERING_ROUNDS = 32

Late = Callable[[], None]


def _tell_nobody() -> None:
    """Count nothing."""


Handler = Callable[[Sequence[Command]], Awaitable[Sequence[Outcome | Fault]]]


class _Member(NamedTuple, Generic[Command, Outcome]):
    """One command in the line, who waits for its outcome, and until when."""

    command: Command
    answer: asyncio.Future[Outcome]
    deadline: Deadline | None


class Batcher(Generic[Command, Outcome]):
    """
    Gathers single commands into batches for a handler, one batch at a time, in order of arrival.

    The handler returns one outcome a command; a `Fault` among them is raised to
    that one's caller. A batch that raises is handed over again one by one, so a
    poisoned command harms only itself; but a `Fault` (the dependency failed,
    not the commands) is raised to all callers at once. A defect that is raised
    to nobody, of a batch whose members are tried alone or of one whose caller
    has gone, is told in the log.

    A caller that gives up loses only the answer: its command keeps its place
    and has its effect. But where its deadline has passed before its batch
    begins, it is left out, and nothing has happened; what is done for the batch
    has the latest deadline in it.

    `run` must be owned by a supervisor while the batcher is in use.
    """

    def __init__(
        self,
        handler: Handler[Command, Outcome],
        *,
        batch_max: int,
        waiting_max: int,
        late: Late = _tell_nobody,
    ) -> None:
        """
        Hand at most *batch_max* commands at once to *handler*; refuse more than *waiting_max* in line.

        *late* is told of each command that is left out.
        """
        assert 0 < batch_max <= waiting_max
        self._handler = handler
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._late = late
        self._waiting: deque[_Member[Command, Outcome]] = deque()
        self._arrived = asyncio.Event()
        self._closing = False

    def __call__(self, command: Command) -> asyncio.Future[Outcome]:
        """
        Let the command into the line; return what will hold its outcome.

        Raises `Overloaded` when the line before the handler is full. The future
        raises `TooLate` where the deadline passed in it.
        """
        if self._closing or len(self._waiting) >= self._waiting_max:
            raise Overloaded("too many commands are waiting")
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        self._waiting.append(_Member(command, answer, current()))
        self._arrived.set()
        return answer

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        # Asked for once, as to ask is a system call (`getpid`, CPython 3.11).
        return asyncio.get_running_loop()

    @property
    def waiting(self) -> int:
        """How many commands are not yet in a batch."""
        return len(self._waiting)

    async def run(self) -> None:
        """Handle batches until `close` was called and the line is empty."""
        task = asyncio.current_task()
        assert task is not None
        while not (self._closing and not self._waiting):
            if task.cancelling():
                # In the round of a batch's deadline, which whoever waited there has taken it for.
                raise asyncio.CancelledError
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            await self._gather()
            if batch := self._next_batch():
                with due(latest(member.deadline for member in batch)):
                    await self._handle(batch)

    def close(self) -> None:
        """Take no more; `run` returns once what is waiting has been handled."""
        self._closing = True
        self._arrived.set()

    async def _gather(self) -> None:
        """Let in what is on its way already, for as long as more keeps coming."""
        quiet = rounds = 0
        while quiet < QUIET_ROUNDS and rounds < GATHERING_ROUNDS and len(self._waiting) < self._batch_max:
            before, rounds = len(self._waiting), rounds + 1
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._waiting) == before else 0

    def _next_batch(self) -> "list[_Member[Command, Outcome]]":
        """Take the next members out of the line, without those for whom it is too late."""
        batch: list[_Member[Command, Outcome]] = []
        now = self._loop.time()
        while self._waiting and len(batch) < self._batch_max:
            member = self._waiting.popleft()
            if member.deadline is None or not member.deadline.is_over(now):
                batch.append(member)
                continue
            self._late()
            if not member.answer.done():
                member.answer.set_exception(TooLate("the caller's deadline passed while others were served"))
        return batch

    async def _handle(self, batch: "list[_Member[Command, Outcome]]") -> None:
        try:
            outcomes = await self._handler([member.command for member in batch])
            assert len(outcomes) == len(batch)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is raised to whom it concerns, or told
            await self._separate(batch, error)
            return
        for member, outcome in zip(batch, outcomes, strict=True):
            if member.answer.done():
                continue
            if isinstance(outcome, Fault):
                member.answer.set_exception(outcome)
            else:
                member.answer.set_result(outcome)

    async def _separate(self, batch: "list[_Member[Command, Outcome]]", error: Exception) -> None:
        if len(batch) > 1 and not isinstance(error, Fault):
            # Alone each of them may pass.
            tell(error)
            for member in batch:
                await self._handle([member])
            return
        for member in batch:
            if member.answer.done():
                tell(error)
            else:
                member.answer.set_exception(error)
