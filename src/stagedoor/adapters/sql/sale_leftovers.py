"""What the sale keeps for a while only is removed, some rows at a time: found beside the sale, deleted in its turn."""

from sqlalchemy import Connection, bindparam, delete, select, tuple_

from stagedoor.adapters.sql.bulk import Bulk
from stagedoor.adapters.sql.lanes import Lanes, Step
from stagedoor.adapters.sql.tables import closed_place, idempotency_key, outbox
from stagedoor.checkout.ports import SaleLeftovers
from stagedoor.kernel.clock import Instant

_OLD_KEYS = (
    select(idempotency_key.c.buyer_id, idempotency_key.c.call, idempotency_key.c.value)
    .where(idempotency_key.c.stored_at < bindparam("before"))
    .order_by(idempotency_key.c.stored_at)
    .limit(bindparam("at_most"))
)

_FORGET_KEYS = Bulk.change(
    {
        "of_buyer": idempotency_key.c.buyer_id,
        "of_call": idempotency_key.c.call,
        "named": idempotency_key.c.value,
        "before": idempotency_key.c.stored_at,
    },
    lambda given: delete(idempotency_key).where(
        idempotency_key.c.buyer_id == given["of_buyer"],
        idempotency_key.c.call == given["of_call"],
        idempotency_key.c.value == given["named"],
        idempotency_key.c.stored_at < given["before"],
    ),
)

# An event that closed a place has the instant of the closing: older than the oldest one left, all are gone.
_OLDEST_EVENT = select(outbox.c.occurred_at).order_by(outbox.c.sequence).limit(1)

_CLOSED_PLACES = (
    select(closed_place.c.room_id, closed_place.c.place_number, closed_place.c.closed_at)
    .where(
        tuple_(closed_place.c.room_id, closed_place.c.place_number)
        > tuple_(bindparam("after_room"), bindparam("after_number"))
    )
    .order_by(closed_place.c.room_id, closed_place.c.place_number)
    .limit(bindparam("at_most"))
)

_FORGET_CLOSED = Bulk.change(
    {"of_room": closed_place.c.room_id, "of_number": closed_place.c.place_number},
    lambda given: delete(closed_place).where(
        closed_place.c.room_id == given["of_room"], closed_place.c.place_number == given["of_number"]
    ),
)

_BEFORE_ALL = ("", 0)


class SqlSaleLeftovers(SaleLeftovers):
    """The sale's leftovers in a SQL database."""

    def __init__(self, lanes: Lanes) -> None:
        """Read and delete through *lanes*."""
        self._lanes = lanes
        self._looked_at = _BEFORE_ALL

    async def forget_keys(self, *, stored_before: Instant, limit: int) -> int:
        """Remove the oldest keys."""
        asked = {"before": stored_before, "at_most": limit}
        old = await self._lanes.reading(lambda connection: connection.execute(_OLD_KEYS, asked).all())
        rows = [(buyer_id, call, value, stored_before) for buyer_id, call, value in old]
        return await self._remove(lambda connection: _FORGET_KEYS(connection, rows)) if rows else 0

    async def forget_closed_places(self, *, closed_before: Instant, limit: int) -> int:
        """Remove those among the next *limit* places that nobody needs any more."""
        room_id, number = self._looked_at

        def look(connection: Connection) -> tuple[list[tuple[str, int, int]], int]:
            oldest: int | None = connection.scalar(_OLDEST_EVENT)
            asked = {"after_room": room_id, "after_number": number, "at_most": limit}
            found = [(room, place, at) for room, place, at in connection.execute(_CLOSED_PLACES, asked)]
            return found, closed_before if oldest is None else min(closed_before, oldest)

        found, before = await self._lanes.reading(look)
        self._looked_at = found[-1][:2] if len(found) == limit else _BEFORE_ALL
        rows = [(room, place) for room, place, closed_at in found if closed_at < before]
        return await self._remove(lambda connection: _FORGET_CLOSED(connection, rows)) if rows else 0

    async def _remove(self, step: Step[int]) -> int:
        async with self._lanes.writing() as transaction:
            removed = await transaction.run(step)
            # Removing them again later is as good.
            await transaction.commit(proof=lambda _: True)
        return removed
