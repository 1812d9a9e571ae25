"""The log of what buyers were told, once an event."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select

from stagedoor.adapters.sql.dialect import NOTE_ONCE
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.tables import notification
from stagedoor.checkout.events import OrderPaid
from stagedoor.checkout.notifications import NotificationLog
from stagedoor.kernel.clock import Instant

_NOTED = select(func.count()).where(notification.c.event_id.in_(bindparam("ids", expanding=True)))


class SqlNotifications(NotificationLog):
    """The notification log in a SQL database."""

    def __init__(self, lanes: Lanes) -> None:
        """Write through *lanes*."""
        self._lanes = lanes

    async def note(self, paid: Sequence[OrderPaid], *, at: Instant) -> None:
        """Write one notification for each of *paid* that has none yet."""
        if not paid:
            return
        rows = [(event.event_id, event.order_id, event.buyer_id, _text(event), at) for event in paid]
        ids = {event.event_id for event in paid}

        def are_noted(connection: Connection) -> bool:
            noted: int | None = connection.scalar(_NOTED, {"ids": list(ids)})
            return noted == len(ids)

        async with self._lanes.writing() as transaction:
            await transaction.run(lambda connection: NOTE_ONCE(connection, rows))
            await transaction.commit(proof=are_noted)


def _text(event: OrderPaid) -> str:
    seats = "1 seat" if len(event.seat_ids) == 1 else f"{len(event.seat_ids)} seats"
    return f"Order {event.order_id} is paid: {seats}, {event.amount_won:,} won."
