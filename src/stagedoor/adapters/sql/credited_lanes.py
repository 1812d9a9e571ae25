"""Nobody writes by time that does not count: each transaction begins where an outage before it has been given back."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from stagedoor.adapters.sql.clock_stop import SqlClockStop
from stagedoor.adapters.sql.lanes import Lanes, Step, WriteTransaction

T = TypeVar("T")


def may_always() -> None:
    """Refuse nothing."""


class CreditedLanes(Lanes):
    """
    Lanes whose transactions for writing begin after the clock stop has been settled.

    It is looked at once the write lock is held: however long somebody else kept
    the database, whoever gets it first gives that time back, in a transaction
    of its own, before anybody judges a deadline. To look costs a comparison.
    """

    def __init__(self, lanes: Lanes, clock_stop: SqlClockStop, *, refuse: Callable[[], None] = may_always) -> None:
        """Reach the database through *lanes*; *refuse* raises a `Fault` while nobody may write through these."""
        self._lanes = lanes
        self._refuse = refuse
        self._clock_stop = clock_stop

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        """Open a transaction for writing, with every gap before it given back."""
        self._refuse()
        while True:
            async with self._lanes.writing() as transaction:
                if not self._clock_stop.owes:
                    yield transaction
                    return
                await self._clock_stop.beat_in(transaction)

    async def reading(self, step: Step[T]) -> T:
        """Run *step* in a transaction that writes nothing."""
        return await self._lanes.reading(step)
