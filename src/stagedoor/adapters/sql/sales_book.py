"""The sale's store over SQL: one write transaction is one unit of work."""

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Final, TypeVar

from stagedoor.adapters.sql import sale_reads, sale_writes
from stagedoor.adapters.sql.lanes import Lanes, RolledBack, WriteTransaction
from stagedoor.checkout.commands import SaleCommand
from stagedoor.checkout.ports import SalesBook, SaleWork
from stagedoor.checkout.rows import SaleRows, SaleWrites
from stagedoor.holds.model import HoldPolicy
from stagedoor.kernel.clock import Clock
from stagedoor.kernel.ids import PerformanceId

T = TypeVar("T")

UNDONE_MAX: Final = 5
"""How often a batch may be undone by the database; each time it is decided anew."""

UNDONE_FOR_S: Final = 2.0
"""For how long it is begun again, so that a caller whose deadline is 5 s still has an answer."""

Committed = Callable[[frozenset[PerformanceId]], None]
EventsWritten = Callable[[], None]


def _nobody_asks(_performances: frozenset[PerformanceId] = frozenset()) -> None:
    """Tell nobody."""


class SqlSalesBook(SalesBook):
    """
    The sale in a SQL database.

    *committed* is told, after each commit, the performances whose claims have
    changed; *events_written* that there is something to relay. With
    *for_broker* there is a broker, which the events wait for as well.
    """

    def __init__(
        self,
        lanes: Lanes,
        clock: Clock,
        committed: Committed = _nobody_asks,
        events_written: EventsWritten = _nobody_asks,
        *,
        for_broker: bool = False,
    ) -> None:
        """Write through *lanes*; *clock* is the store's and judges every deadline."""
        self._lanes = lanes
        self._clock = clock
        self._committed = committed
        self._events_written = events_written
        self._for_broker = for_broker

    async def unit_of_work(self, body: Callable[[SaleWork], Awaitable[T]]) -> T:
        """Run *body* in a transaction; again, where the database undoes it."""
        begun_at = monotonic()
        tries = 0
        while True:
            try:
                async with self._lanes.writing() as transaction:
                    return await body(_SqlSaleWork(transaction, self._clock, self._tell, for_broker=self._for_broker))
            except RolledBack:
                tries += 1
                if tries == UNDONE_MAX or monotonic() - begun_at > UNDONE_FOR_S:
                    raise

    def _tell(self, writes: SaleWrites) -> None:
        claims = [*writes.claims_before.values(), *(claim for claim in writes.claims.values() if claim is not None)]
        if claims:
            self._committed(frozenset(claim.performance_id for claim in claims))
        if writes.events:
            self._events_written()


class _SqlSaleWork(SaleWork):
    def __init__(
        self, transaction: WriteTransaction, clock: Clock, tell: Callable[[SaleWrites], None], *, for_broker: bool
    ) -> None:
        self._transaction = transaction
        self._clock = clock
        self._tell = tell
        self._for_broker = for_broker
        self._written: SaleWrites | None = None

    async def load(self, commands: Sequence[SaleCommand], policy: HoldPolicy) -> SaleRows:
        return await self._transaction.run(
            lambda connection: sale_reads.load(connection, commands, policy, self._clock)
        )

    async def overdue(self, *, limit: int) -> SaleRows:
        return await self._transaction.run(lambda connection: sale_reads.load_overdue(connection, limit, self._clock))

    async def write(self, writes: SaleWrites) -> None:
        await self._transaction.run(
            lambda connection: sale_writes.write(connection, writes, for_broker=self._for_broker)
        )
        self._written = writes

    async def commit(self) -> None:
        writes = self._written
        assert writes is not None, "a unit of work is written before it is committed"
        await self._transaction.commit(proof=lambda connection: sale_writes.is_stored(connection, writes))
        self._tell(writes)
