"""The ways into a database with an end to waiting: so many at once, and nobody longer than somebody waits for her."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from stagedoor.adapters.sql.lanes import Lanes, Step, WriteTransaction
from stagedoor.observability.unheard import to_its_end
from stagedoor.observability.until import until
from stagedoor.resilience.bulkhead import Bulkhead
from stagedoor.resilience.deadline import Deadline, current

T = TypeVar("T")

Visitor = asyncio.Future[None]


class BoundedLanes(Lanes):
    """
    Lanes with a bulkhead before each kind of transaction, and with the deadline of whoever asks.

    What comes too late is not begun. A read is left to itself at the deadline:
    nobody can call it back, so it keeps its place until it has really ended. A
    transaction that writes is not begun after the deadline, also if it took
    that long to get the database's lock; once it is begun it goes to its end,
    and its outcome is known.
    """

    def __init__(self, lanes: Lanes, *, writes: Bulkhead[Visitor], reads: Bulkhead[Visitor]) -> None:
        """Bound *lanes*."""
        self._lanes = lanes
        self._writes = writes
        self._reads = reads
        self._reading: set[asyncio.Task[object]] = set()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        """Open a transaction for writing. Raises `BulkheadFull`, `TooLate`, `DeadlineMissed`."""
        deadline = current()
        await _enter(self._writes, deadline)
        try:
            async with self._lanes.writing() as transaction:
                if deadline is not None and deadline.is_over(asyncio.get_running_loop().time()):
                    raise deadline.missed()
                yield transaction
        finally:
            _leave(self._writes)

    async def reading(self, step: Step[T]) -> T:
        """Run *step* in a transaction that writes nothing. Raises `BulkheadFull`, `TooLate`, `DeadlineMissed`."""
        deadline = current()
        await _enter(self._reads, deadline)
        task = asyncio.ensure_future(self._lanes.reading(step))
        self._reading.add(task)
        task.add_done_callback(self._read)
        async with until(deadline):
            return await to_its_end(task)

    def _read(self, task: "asyncio.Task[object]") -> None:
        self._reading.discard(task)
        _leave(self._reads)


async def _enter(bulkhead: Bulkhead[Visitor], deadline: Deadline | None) -> None:
    loop = asyncio.get_running_loop()
    if deadline is not None:
        deadline.begin(loop.time())
    visitor: Visitor = loop.create_future()
    if bulkhead.enter(visitor):
        return
    try:
        async with until(deadline):
            await visitor
    except BaseException:
        if visitor.cancelled():
            bulkhead.give_up(visitor)
        else:
            # She was let in just as she gave up.
            _leave(bulkhead)
        raise


def _leave(bulkhead: Bulkhead[Visitor]) -> None:
    while (visitor := bulkhead.leave()) is not None:
        if not visitor.done():
            visitor.set_result(None)
            return
        # She gave up and has not come round to saying so: her place goes to the next one.
