"""
While no process could serve, time stands still for the buyers: the gap is given back at the next start.

One row says when a process last could. Giving back moves the deadlines and
that row in one transaction, so a crash in the middle of it gives nothing, and
doing it again gives nothing twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, bindparam, insert, select, update

from stagedoor.adapters.sql.bulk import ANY_DIALECT, Bulk
from stagedoor.adapters.sql.hold_rows import SELECT_HOLD, holds_of_rows
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.outbox_rows import store_events
from stagedoor.adapters.sql.tables import clock_stop, hold, outage, seat_claim
from stagedoor.holds.events import HoldExtended
from stagedoor.holds.model import ExtensionCause, Hold, HoldState
from stagedoor.kernel.clock import Instant, later
from stagedoor.kernel.ids import EventId, HoldId

_ONLY_ROW = 1
_SEATS_AT_ONCE = 10_000

_ALIVE_AT = select(clock_stop.c.alive_at)
_PULSE = update(clock_stop).where(clock_stop.c.alive_at < bindparam("at")).values(alive_at=bindparam("at"))

_SET_BACK = update(clock_stop).values(alive_at=bindparam("at"))

_OPEN_THEN = SELECT_HOLD.where(
    hold.c.state == HoldState.OPEN.value, hold.c.expires_at > bindparam("alive_at")
).order_by(hold.c.id)

_CLAIMANTS = select(seat_claim.c.seat_id, seat_claim.c.hold_id).where(
    seat_claim.c.seat_id.in_(bindparam("seat_ids", expanding=True))
)

_EXTEND_HOLDS = Bulk(
    {
        ANY_DIALECT: update(hold)
        .where(
            hold.c.id == bindparam("its_id"),
            hold.c.state == HoldState.OPEN.value,
            hold.c.expires_at == bindparam("expired_at"),
        )
        .values(
            expires_at=bindparam("expires_later_at"),
            extended_ms=bindparam("extended_by_ms"),
            extension_cause=ExtensionCause.OUTAGE.value,
        )
    },
    ("expires_later_at", "extended_by_ms", "its_id", "expired_at"),
)

_EXTEND_CLAIMS = Bulk(
    {
        ANY_DIALECT: update(seat_claim)
        .where(seat_claim.c.seat_id == bindparam("its_id"), seat_claim.c.hold_id == bindparam("holder_id"))
        .values(held_until=bindparam("held_later_until"))
    },
    ("held_later_until", "its_id", "holder_id"),
)


CreditLine = Callable[[Connection, int], object]
"""Moves the passes of a line kept in this database later by so many milliseconds."""


class SqlClockStop:
    """
    The durable pulse of the service, and what is given back when it had stopped.

    *credit_line* gives the line's passes back what they lost, in the
    transaction that notes the outage as credited; it is handed the gap.
    """

    def __init__(self, lanes: Lanes, credit_line: CreditLine | None = None) -> None:
        """Write through *lanes*."""
        self._lanes = lanes
        self._credit_line = credit_line

    async def alive(self, at: Instant) -> None:
        """Record that a process could serve at *at*. An earlier instant than the stored one changes nothing."""
        async with self._lanes.writing() as transaction:
            await transaction.run(lambda connection: _pulse(connection, at))
            await transaction.commit(proof=lambda connection: _has_beaten(connection, at))

    async def credit_outage(self, *, now: Instant, credit_max_ms: int, ignore_below_ms: int) -> int:
        """
        Give every holder the time back in which nobody could serve her, up to *credit_max_ms*.

        A hold that was open when the service stopped is moved later by the
        gap; one that was placed after the last pulse by the time since it was
        placed. Returns the gap that was given back: 0 at the first start, and
        for a gap below *ignore_below_ms*. To be called before anybody is served.
        """
        assert credit_max_ms >= 0

        def give_back(connection: Connection) -> int:
            alive_at: int | None = connection.scalar(_ALIVE_AT)
            gap_ms = 0 if alive_at is None else now - alive_at
            outage_ms = 0 if gap_ms < ignore_below_ms else min(max(gap_ms, 0), credit_max_ms)
            if alive_at is not None and outage_ms > 0:
                _credit(connection, Instant(alive_at), now, outage_ms)
                if self._credit_line is not None:
                    self._credit_line(connection, outage_ms)
            if gap_ms < 0:
                # The machine's clock was ahead when it was last written: left there, the next outage would not show.
                connection.execute(_SET_BACK, {"at": now})
            _pulse(connection, now)
            return outage_ms

        async with self._lanes.writing() as transaction:
            outage_ms = await transaction.run(give_back)
            await transaction.commit(proof=lambda connection: _has_beaten(connection, now))
        return outage_ms


def _pulse(connection: Connection, at: Instant) -> None:
    if connection.scalar(_ALIVE_AT) is None:
        connection.execute(insert(clock_stop).values(id=_ONLY_ROW, alive_at=at))
    else:
        connection.execute(_PULSE, {"at": at})


def _has_beaten(connection: Connection, at: Instant) -> bool:
    alive_at: int | None = connection.scalar(_ALIVE_AT)
    return alive_at is not None and alive_at >= at


def _credit(connection: Connection, alive_at: Instant, now: Instant, outage_ms: int) -> None:
    open_then = holds_of_rows(connection, connection.execute(_OPEN_THEN, {"alive_at": alive_at}).all())
    extensions = [
        (one, _extended(one, min(outage_ms, now - one.placed_at))) for one in _still_claiming(connection, open_then)
    ]
    extensions = [(before, after) for before, after in extensions if after.expires_at > before.expires_at]
    holds_moved = _EXTEND_HOLDS(
        connection,
        [(after.expires_at, after.extended_ms, after.id, before.expires_at) for before, after in extensions],
    )
    assert holds_moved == len(extensions)
    claims = [(after.expires_at, held.seat_id, after.id) for _, after in extensions for held in after.seats]
    claims_moved = _EXTEND_CLAIMS(connection, claims)
    assert claims_moved == len(claims)
    store_events(connection, [_told(before, after, now) for before, after in extensions])
    connection.execute(
        insert(outage).values(began_at=alive_at, ended_at=now, credited_ms=outage_ms, holds_extended=len(extensions))
    )


def _still_claiming(connection: Connection, holds: Sequence[Hold]) -> Sequence[Hold]:
    # A hold that ended between the last pulse and the stop may have lost its seats to others, and is over for good.
    seat_ids = [held.seat_id for one in holds for held in one.seats]
    claimants: dict[int, int | None] = {}
    for start in range(0, len(seat_ids), _SEATS_AT_ONCE):
        asked = {"seat_ids": seat_ids[start : start + _SEATS_AT_ONCE]}
        claimants |= {row.seat_id: row.hold_id for row in connection.execute(_CLAIMANTS, asked)}
    return [one for one in holds if all(claimants.get(held.seat_id) == one.id for held in one.seats)]


def _extended(before: Hold, by_ms: int) -> Hold:
    return replace(
        before,
        expires_at=later(before.expires_at, by_ms),
        extended_ms=before.extended_ms + by_ms,
        extension_cause=ExtensionCause.OUTAGE,
    )


def _told(before: Hold, after: Hold, now: Instant) -> HoldExtended:
    return HoldExtended(
        event_id=_event_id(after.id, now),
        occurred_at=now,
        hold_id=after.id,
        buyer_id=after.buyer_id,
        room_id=after.place.room_id,
        place_number=after.place.number,
        performance_id=after.performance_id,
        seat_ids=tuple(held.seat_id for held in after.seats),
        expires_at=after.expires_at,
        extended_ms=after.expires_at - before.expires_at,
        cause=ExtensionCause.OUTAGE.value,
    )


def _event_id(hold_id: HoldId, now: Instant) -> EventId:
    # A hold is extended once at an instant, so that names the event.
    return EventId(f"{now:012x}{hold_id:020x}")
