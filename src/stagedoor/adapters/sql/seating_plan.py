"""Performances and seats, read; what the seats add up to is counted once for each performance."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Row, bindparam, select

from stagedoor.adapters.sql.claim_counts import ClaimCounts, count_claims
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.seat_figures import NO_SEATS, SeatFigures, count_seats
from stagedoor.adapters.sql.sized import SizedQuery
from stagedoor.adapters.sql.tables import performance, seat, seat_claim
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import PerformanceId, RoomId, SeatId
from stagedoor.kernel.money import Won
from stagedoor.seating.model import Availability, Claims, ClaimState, Performance, Seat, SeatState
from stagedoor.seating.ports import SeatingPlan

_HELD = ClaimState.HELD.value

_STATES = {
    _HELD: SeatState.HELD,
    ClaimState.SOLD.value: SeatState.SOLD,
    ClaimState.BLOCKED.value: SeatState.BLOCKED,
}

_PERFORMANCES = select(
    performance.c.id,
    performance.c.room_id,
    performance.c.title,
    performance.c.venue,
    performance.c.starts_at,
    performance.c.ends_at,
    performance.c.time_zone,
).order_by(performance.c.starts_at, performance.c.id)

_IDS = select(performance.c.id).order_by(performance.c.id)

_SEATS = SizedQuery(
    select(
        seat.c.id,
        seat.c.position,
        seat.c.section,
        seat.c.row_name,
        seat.c.seat_number,
        seat.c.zone,
        seat.c.price_won,
    )
    .where(seat.c.performance_id == bindparam("performance_id"))
    .order_by(seat.c.position)
)

_CLAIMS = SizedQuery(
    select(seat_claim.c.seat_id, seat_claim.c.state, seat_claim.c.held_until).where(
        seat_claim.c.performance_id == bindparam("performance_id"), seat_claim.c.held_until > bindparam("at")
    )
)

_PerformanceRow = Row[int, str, str, str, int, int, str]
_Figures = Mapping[PerformanceId, SeatFigures]


class SqlSeatingPlan(SeatingPlan):
    """The seating of a SQL database."""

    def __init__(self, lanes: Lanes) -> None:
        """Read through *lanes*."""
        self._lanes = lanes
        self._figures: dict[PerformanceId, SeatFigures] = {}

    async def performances(self) -> Sequence[Performance]:
        """Return every performance."""
        known = frozenset(self._figures)

        def read(connection: Connection) -> tuple[Sequence[_PerformanceRow], _Figures]:
            rows = connection.execute(_PERFORMANCES).all()
            return rows, count_seats(connection, {PerformanceId(row[0]) for row in rows} - known)

        rows, counted = await self._lanes.reading(read)
        self._figures.update(counted)
        return [_performance(row, self._figures.get(PerformanceId(row[0]), NO_SEATS)) for row in rows]

    async def seats(self, performance_id: PerformanceId) -> Sequence[Seat]:
        """Return the seats of one performance."""

        def read(connection: Connection) -> Sequence[Seat]:
            return [
                Seat(
                    id=SeatId(seat_id),
                    position=position,
                    section=section,
                    row=row,
                    number=number,
                    zone=zone,
                    price_won=Won(price_won),
                )
                for seat_id, position, section, row, number, zone, price_won in _SEATS(
                    connection, performance_id=performance_id
                )
            ]

        return await self._lanes.reading(read)

    async def claims(self, performance_id: PerformanceId, *, at: Instant) -> Claims:
        """Return the seats of one performance that are not free."""

        def read(connection: Connection) -> Claims:
            rows = _CLAIMS(connection, performance_id=performance_id, at=at)
            return Claims(
                performance_id=performance_id,
                as_of=at,
                states={seat_id: _STATES[state] for seat_id, state, _ in rows},
                next_hold_ends_at=min(
                    (held_until for _, state, held_until in rows if state == _HELD),
                    default=None,
                ),
            )

        return await self._lanes.reading(read)

    async def availability(self, *, at: Instant) -> Mapping[PerformanceId, Availability]:
        """Count what is left of every performance."""
        known = frozenset(self._figures)

        def read(connection: Connection) -> tuple[Mapping[PerformanceId, ClaimCounts], _Figures]:
            ids = {PerformanceId(id_) for id_ in connection.scalars(_IDS)}
            return count_claims(connection, ids, at), count_seats(connection, ids - known)

        claimed, counted = await self._lanes.reading(read)
        self._figures.update(counted)
        return {
            id_: _availability(id_, self._figures.get(id_, NO_SEATS).count, counts) for id_, counts in claimed.items()
        }


def _performance(row: _PerformanceRow, figures: SeatFigures) -> Performance:
    performance_id, room_id, title, venue, starts_at, ends_at, time_zone = row
    return Performance(
        id=PerformanceId(performance_id),
        room_id=RoomId(room_id),
        title=title,
        venue=venue,
        starts_at=Instant(starts_at),
        ends_at=Instant(ends_at),
        time_zone=time_zone,
        seat_count=figures.count,
        price_from_won=figures.from_won,
        price_to_won=figures.to_won,
    )


def _availability(performance_id: PerformanceId, seat_count: int, claimed: ClaimCounts) -> Availability:
    return Availability(
        performance_id=performance_id,
        free=seat_count - claimed.held - claimed.sold - claimed.blocked,
        held=claimed.held,
        sold=claimed.sold,
        blocked=claimed.blocked,
        next_hold_ends_at=claimed.next_hold_ends_at,
    )
