"""What never changes about a performance's seats: how many, and at what prices. Counted once, not at every look."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select

from stagedoor.adapters.sql.tables import seat
from stagedoor.kernel.ids import PerformanceId
from stagedoor.kernel.money import Won

_FIGURES = (
    select(seat.c.performance_id, func.count(), func.min(seat.c.price_won), func.max(seat.c.price_won))
    .where(seat.c.performance_id.in_(bindparam("ids", expanding=True)))
    .group_by(seat.c.performance_id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatFigures:
    """How many seats a performance has, and the lowest and highest price among them."""

    count: int
    from_won: Won
    to_won: Won


NO_SEATS = SeatFigures(count=0, from_won=Won(0), to_won=Won(0))


def count_seats(connection: Connection, ids: Collection[PerformanceId]) -> Mapping[PerformanceId, SeatFigures]:
    """Return the figures of those of the performances *ids* that have seats."""
    if not ids:
        return {}
    return {
        PerformanceId(id_): SeatFigures(count=count, from_won=Won(from_won), to_won=Won(to_won))
        for id_, count, from_won, to_won in connection.execute(_FIGURES, {"ids": list(ids)}).all()
    }
