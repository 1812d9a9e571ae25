"""What goes on though its caller may have gone, and what she hears all the same; a defect nobody hears of is logged."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

from stagedoor.kernel.errors import Fault, Rejection

T = TypeVar("T")
Asked = TypeVar("Asked")

log = structlog.get_logger(__name__)


async def to_its_end(task: asyncio.Task[T]) -> T:
    """
    Return what *task* returns. Raises what it raises.

    A caller that is cut off loses only the answer: the task goes on, and a defect that it ends with is told. Of several
    callers any may be cut off; it is told once.
    """
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.remove_done_callback(tell_of)
        task.add_done_callback(tell_of)
        raise


async def heard(answer: asyncio.Future[T]) -> T:
    """
    Return the answer of a change.

    A loop that is late comes to the deadline and to the answer in one round, and to the deadline first: whoever is cut
    off while the answer is there hears it.
    """
    try:
        return await answer
    except asyncio.CancelledError:
        if answer.cancelled() or not answer.done():
            raise
        return answer.result()


def hearing(call: Callable[[Asked], asyncio.Future[T]]) -> Callable[[Asked], Awaitable[T]]:
    """
    Return *call* for what is done in its caller's own task, so that she goes on from an answer that is there.

    It begins, and raises what it begins with, before it is awaited.
    """

    def called(asked: Asked) -> Awaitable[T]:
        return heard(call(asked))

    return called


def tell_of(ended: asyncio.Future[Any]) -> None:
    """Tell of the defect that *ended* with, for which nobody waits; asked for that, the loop does not call it lost."""
    if not ended.cancelled() and (error := ended.exception()) is not None:
        tell(error)


def tell(error: BaseException) -> None:
    """Tell of *error*, which is raised to nobody: not of a fault or a rejection, which are no bug."""
    if not isinstance(error, Fault | Rejection):
        log.error("work.failed_unheard", cause=str(error), exc_info=error)
