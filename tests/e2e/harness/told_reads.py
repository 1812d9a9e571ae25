"""Lets a server say on standard output whenever its lists read the database."""

from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from stagedoor.adapters.sql.lanes import Lanes, Step, WriteTransaction
from stagedoor.adapters.sql.seating_plan import SqlSeatingPlan
from tests.e2e.harness.removed_guard import replace

T = TypeVar("T")

READ = "The lists have read the database."

really_init = SqlSeatingPlan.__init__


class Told(Lanes):
    """Somebody's lanes, where each reading transaction is said."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    def writing(self) -> AbstractAsyncContextManager[WriteTransaction]:
        """Open a transaction for writing."""
        return self._lanes.writing()

    async def reading(self, step: Step[T]) -> T:
        """Say so, and read."""
        print(READ, flush=True)  # noqa: T201 -- that is what it is for
        return await self._lanes.reading(step)


def tell_reads() -> None:
    """Have all reads of the seating told from now on."""
    replace(SqlSeatingPlan, "__init__", lambda plan, lanes: really_init(plan, Told(lanes)))
