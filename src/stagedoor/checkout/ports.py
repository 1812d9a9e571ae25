"""What the sale needs from a database: to read and lock a batch's rows, write it, and commit, once."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from stagedoor.checkout.commands import SaleCommand
from stagedoor.checkout.rows import Order, SaleRows, SaleWrites
from stagedoor.holds.model import Hold, HoldPolicy
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId

T = TypeVar("T")


class SaleWork(Protocol):
    """
    One unit of work of the sale.

    Nothing in it is seen by anybody until `commit` returns. Leaving it without
    committing undoes it.
    """

    async def load(self, commands: Sequence[SaleCommand], policy: HoldPolicy) -> SaleRows:
        """
        Read and lock the rows that deciding *commands* needs: wallets by id, then holds by id, then seats by id.

        Whoever waits for a lock waits here. `SaleRows.now` is read once all are held.
        """
        ...

    async def overdue(self, *, limit: int) -> SaleRows:
        """Read and lock the oldest open holds whose deadline has passed, at most *limit*, with their claims."""
        ...

    async def write(self, writes: SaleWrites) -> None:
        """
        Write the batch, repeating each deciding predicate.

        A row count that differs from what was decided is a defect: raises
        `AssertionError`, and nothing is kept.
        """
        ...

    async def commit(self) -> None:
        """
        Make it durable.

        Returns only if it is. Where the commit's own answer was lost, it is
        looked up by the ids written, never repeated. Raises `Fault` if it is
        known not to have happened, or cannot be known.
        """
        ...


class SalesBook(Protocol):
    """
    The sale's store: the authority for seats and money.

    Where it cannot be had, everything fails closed: nothing is held, paid or
    charged, nothing is half done, and the caller hears of a `Fault`. What is
    held meanwhile loses no time by it (ADR 39).
    """

    async def unit_of_work(self, body: Callable[[SaleWork], Awaitable[T]]) -> T:
        """
        Run *body* on a unit of work; return what it returns.

        A store may undo a unit of work for another's sake, and then has *body*
        run again from its beginning on a new one, a few times at most: so it
        has to do everything through the work it is given. Raises `Fault` when
        the store cannot be had, or kept undoing it: then nothing has happened.
        """
        ...


class SaleLeftovers(Protocol):
    """What the sale keeps for a while only, because nobody may ask for it later."""

    async def forget_keys(self, *, stored_before: Instant, limit: int) -> int:
        """Remove the oldest idempotency keys stored before *stored_before*, at most *limit*; return how many."""
        ...

    async def forget_closed_places(self, *, closed_before: Instant, limit: int) -> int:
        """
        Remove the sale's own record of places closed before *closed_before*; return how many.

        A place is kept until every event that is as old has been told and
        forgotten: until then the line may not have heard that it is over. A
        call looks at *limit* places at most, and the next one goes on behind them.
        """
        ...


class BuyerRecords(Protocol):
    """What a buyer may read of her own dealings: never an old copy. Every method raises `Fault` where it cannot."""

    async def holds_of(self, buyer_id: BuyerId, *, limit: int) -> Sequence[Hold]:
        """Return her newest holds, newest first."""
        ...

    async def orders_of(self, buyer_id: BuyerId, *, limit: int) -> Sequence[tuple[Order, Hold]]:
        """Return her newest orders, each with the hold it paid, newest first."""
        ...

    async def open_holds(self, *, at: Instant) -> Sequence[Hold]:
        """Return every hold that is open at *at*: what the line must know after a start."""
        ...
