"""What goes on to its end though its caller may have gone; a defect of which nobody would hear is told in the log."""

import asyncio
from typing import Any, TypeVar

import structlog

from stagedoor.kernel.errors import Fault, Rejection

T = TypeVar("T")

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


def tell_of(ended: asyncio.Future[Any]) -> None:
    """Tell of the defect that *ended* with, for which nobody waits; asked for that, the loop does not call it lost."""
    if not ended.cancelled() and (error := ended.exception()) is not None:
        tell(error)


def tell(error: BaseException) -> None:
    """Tell of *error*, which is raised to nobody: not of a fault or a rejection, which are no bug."""
    if not isinstance(error, Fault | Rejection):
        log.error("work.failed_unheard", cause=str(error), exc_info=error)
