"""What a buyer may read of her own dealings, and what the line must know of holds at a start."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from stagedoor.adapters.sql.hold_rows import SELECT_HOLD, holds_of_rows
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.tables import hold, purchase
from stagedoor.checkout.ports import BuyerRecords
from stagedoor.checkout.rows import Order
from stagedoor.holds.model import Hold, HoldState
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId, HoldId, OrderId, PerformanceId
from stagedoor.kernel.money import Won

_NEWEST_HOLDS = (
    SELECT_HOLD.where(hold.c.buyer_id == bindparam("buyer_id"))
    .order_by(hold.c.placed_at.desc(), hold.c.id.desc())
    .limit(bindparam("at_most"))
)

# A payment ends its hold at the same instant, so the index on holds finds her newest orders too.
_NEWEST_PAID = (
    SELECT_HOLD.where(hold.c.buyer_id == bindparam("buyer_id"), hold.c.state == HoldState.PAID.value)
    .order_by(hold.c.ended_at.desc(), hold.c.id.desc())
    .limit(bindparam("at_most"))
)

_ORDERS = select(
    purchase.c.id,
    purchase.c.hold_id,
    purchase.c.buyer_id,
    purchase.c.performance_id,
    purchase.c.amount_won,
    purchase.c.paid_at,
).where(purchase.c.hold_id.in_(bindparam("hold_ids", expanding=True)))

_OPEN = SELECT_HOLD.where(hold.c.state == HoldState.OPEN.value, hold.c.expires_at > bindparam("at")).order_by(
    hold.c.expires_at, hold.c.id
)


class SqlBuyerRecords(BuyerRecords):
    """Holds and orders in a SQL database."""

    def __init__(self, lanes: Lanes) -> None:
        """Read through *lanes*."""
        self._lanes = lanes

    async def holds_of(self, buyer_id: BuyerId, *, limit: int) -> Sequence[Hold]:
        """Return her newest holds, newest first."""

        def read(connection: Connection) -> Sequence[Hold]:
            rows = connection.execute(_NEWEST_HOLDS, {"buyer_id": buyer_id, "at_most": limit}).all()
            return holds_of_rows(connection, rows)

        return await self._lanes.reading(read)

    async def orders_of(self, buyer_id: BuyerId, *, limit: int) -> Sequence[tuple[Order, Hold]]:
        """Return her newest orders, each with the hold it paid, newest first."""

        def read(connection: Connection) -> Sequence[tuple[Order, Hold]]:
            rows = connection.execute(_NEWEST_PAID, {"buyer_id": buyer_id, "at_most": limit}).all()
            holds = holds_of_rows(connection, rows)
            orders = _orders(connection, [one.id for one in holds])
            return [(orders[one.id], one) for one in holds]

        return await self._lanes.reading(read)

    async def open_holds(self, *, at: Instant) -> Sequence[Hold]:
        """Return every hold that is open at *at*."""

        def read(connection: Connection) -> Sequence[Hold]:
            return holds_of_rows(connection, connection.execute(_OPEN, {"at": at}).all())

        return await self._lanes.reading(read)


def _orders(connection: Connection, hold_ids: Sequence[HoldId]) -> dict[HoldId, Order]:
    if not hold_ids:
        return {}
    return {
        HoldId(hold_id): Order(
            id=OrderId(order_id),
            hold_id=HoldId(hold_id),
            buyer_id=BuyerId(buyer_id),
            performance_id=PerformanceId(performance_id),
            amount_won=Won(amount_won),
            paid_at=Instant(paid_at),
        )
        for order_id, hold_id, buyer_id, performance_id, amount_won, paid_at in connection.execute(
            _ORDERS, {"hold_ids": list(hold_ids)}
        ).all()
    }
