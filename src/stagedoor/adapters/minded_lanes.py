"""The ways into a database with somebody who minds how its writes fail: a batch's, a worker's, an operator's."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias, TypeVar

from stagedoor.adapters.sql.lanes import Lanes, Step, WriteTransaction
from stagedoor.kernel.errors import Fault

T = TypeVar("T")

Mind: TypeAlias = Callable[[Fault], None]
"""Takes note of the fault with which a transaction ended that was to write."""


class MindedLanes(Lanes):
    """
    Lanes whose failed writes are told of.

    They stand right before the database: what comes to it is counted, bounded
    or refused before that, and none of it is minded that was not asked.
    """

    def __init__(self, lanes: Lanes, *, mind: Mind) -> None:
        """Tell *mind* of each fault with which writing in *lanes* ended."""
        self._lanes = lanes
        self._mind = mind

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        """Open a transaction for writing."""
        try:
            async with self._lanes.writing() as transaction:
                yield transaction
        except Fault as fault:
            self._mind(fault)
            raise

    async def reading(self, step: Step[T]) -> T:
        """Run *step* in a transaction that writes nothing."""
        return await self._lanes.reading(step)
