"""
The instant from which nobody waits for an answer any more, known wherever something is waited for.

It travels beside a request rather than through every signature: what is done
for the request, and the tasks begun for it, find it with `current`. Instants
are seconds of the event loop's clock, which never goes back.
"""

from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from typing import NamedTuple, TypeVar

from stagedoor.kernel.errors import CallersDeadlineMissed, DeadlineMissed, Fault, TooLate

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Deadline(NamedTuple):
    """
    From *at* on an answer comes too late; exclusive.

    *is_callers*: it was set by the caller and is shorter than ours. To miss it
    says nothing about what was waited for: anybody can be in such a hurry.
    *ours_s*: for how long we wait for a call of her kind, None where that is not known.
    """

    at: float
    is_callers: bool = False
    ours_s: float | None = None

    def is_over(self, now: float) -> bool:
        """Say whether it has passed at *now*."""
        return now >= self.at

    def missed(self) -> Fault:
        """Return what ends a call that has waited until now."""
        if self.is_callers:
            return CallersDeadlineMissed("the work was not done before the caller's own deadline")
        return DeadlineMissed("the work was not done before the caller's deadline")

    def anew(self, now: float) -> "Deadline":
        """Return that of a call that begins *now* and whose caller is in no hurry; this one where ours is not known."""
        return self if self.ours_s is None else Deadline(now + self.ours_s, ours_s=self.ours_s)

    def begin(self, now: float) -> None:
        """Return if there is still time to begin anything. Raises `TooLate`: then nothing has happened."""
        if self.is_over(now):
            raise TooLate("the caller's deadline had passed before the work was begun")


_CURRENT: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def current() -> Deadline | None:
    """Return the deadline of what is being done, None where nobody waits for it (a worker's tick)."""
    return _CURRENT.get()


class due:  # noqa: N801 -- read as a word, as in `with due(deadline)`; a class, because every call comes this way
    """
    Give what is done inside, and every task begun inside, *deadline*; None: as much time as it takes.

    It cuts nobody off: that is for whoever gives a caller hers.
    """

    __slots__ = ("_deadline", "_token")

    def __init__(self, deadline: Deadline | None) -> None:
        self._deadline = deadline

    def __enter__(self) -> None:
        self._token = _CURRENT.set(self._deadline)

    def __exit__(self, *_: object) -> None:
        _CURRENT.reset(self._token)


def latest(deadlines: Iterable[Deadline | None]) -> Deadline | None:
    """Return the deadline from which none of those who wait does so any more; None if one of them has none."""
    found: Deadline | None = None
    for deadline in deadlines:
        if deadline is None:
            return None
        if found is None or deadline.at > found.at:
            found = deadline
    return found


def regardless(call: Callable[[Asked], Awaitable[Answer]]) -> Callable[[Asked], Awaitable[Answer]]:
    """Return *call* for what has to be done once something else was, however late it is for whoever asked."""

    async def called(asked: Asked) -> Answer:
        with due(None):
            return await call(asked)

    return called
