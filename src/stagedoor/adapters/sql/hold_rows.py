"""Holds as rows, and back."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from stagedoor.adapters.sql.sized import SizedQuery, listed
from stagedoor.adapters.sql.tables import hold, hold_seat
from stagedoor.holds.model import ExtensionCause, HeldSeat, Hold, HoldState
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId, HoldId, PerformanceId, PlaceRef, QueueNumber, RoomId, SeatId
from stagedoor.kernel.money import Won

_HOLDS_AT_ONCE = 10_000

HoldRow = Sequence[Any]
"""The columns of `SELECT_HOLD`, in that order."""

SELECT_HOLD = select(
    hold.c.id,
    hold.c.buyer_id,
    hold.c.room_id,
    hold.c.place_number,
    hold.c.performance_id,
    hold.c.placed_at,
    hold.c.expires_at,
    hold.c.state,
    hold.c.ended_at,
    hold.c.extended_ms,
    hold.c.extension_cause,
)

_SEATS_OF_HOLDS = SizedQuery(
    select(hold_seat.c.hold_id, hold_seat.c.seat_id, hold_seat.c.price_won)
    .where(hold_seat.c.hold_id.in_(listed("hold_ids")))
    .order_by(hold_seat.c.hold_id, hold_seat.c.seat_id),
    "hold_ids",
)


def holds_of_rows(connection: Connection, rows: Sequence[HoldRow]) -> list[Hold]:
    """Return the holds that *rows* (of `SELECT_HOLD`) stand for, in the same order, each with its seats."""
    if not rows:
        return []
    seats = _seats_of(connection, [row[0] for row in rows])
    return [_hold(row, seats) for row in rows]


def _seats_of(connection: Connection, hold_ids: Sequence[int]) -> Mapping[int, list[HeldSeat]]:
    seats: defaultdict[int, list[HeldSeat]] = defaultdict(list)
    for start in range(0, len(hold_ids), _HOLDS_AT_ONCE):
        asked = hold_ids[start : start + _HOLDS_AT_ONCE]
        for hold_id, seat_id, price_won in _SEATS_OF_HOLDS(connection, hold_ids=asked):
            seats[hold_id].append(HeldSeat(seat_id=SeatId(seat_id), price_won=Won(price_won)))
    return seats


def _hold(row: HoldRow, seats: Mapping[int, list[HeldSeat]]) -> Hold:
    (
        hold_id,
        buyer_id,
        room_id,
        place_number,
        performance_id,
        placed_at,
        expires_at,
        state,
        ended_at,
        extended_ms,
        extension_cause,
    ) = row
    return Hold(
        id=HoldId(hold_id),
        buyer_id=BuyerId(buyer_id),
        place=PlaceRef(room_id=RoomId(room_id), number=QueueNumber(place_number)),
        performance_id=PerformanceId(performance_id),
        seats=tuple(seats[hold_id]),
        placed_at=Instant(placed_at),
        expires_at=Instant(expires_at),
        state=HoldState(state),
        ended_at=None if ended_at is None else Instant(ended_at),
        extended_ms=extended_ms,
        extension_cause=None if extension_cause is None else ExtensionCause(extension_cause),
    )
