"""
While nobody can be served time stands still for the buyers: the gap between two signs of life is given back.

One row says when the service last lived. Giving back moves the deadlines and
that row in one transaction, so a crash in the middle of it gives nothing, and
doing it again gives nothing twice. At a start and in the middle of an evening
it is the same step.
"""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, insert, select, update

from stagedoor.adapters.sql.bulk import ANY_DIALECT, Bulk
from stagedoor.adapters.sql.hold_rows import SELECT_HOLD, holds_of_rows
from stagedoor.adapters.sql.lanes import Lanes, WriteTransaction
from stagedoor.adapters.sql.outbox_rows import store_events
from stagedoor.adapters.sql.tables import clock_stop, hold, outage, seat_claim
from stagedoor.checkout.deciding import credit
from stagedoor.holds.model import ExtensionCause, Hold, HoldState
from stagedoor.kernel.clock import GAP_MS, Clock, Instant, Outage, ServiceClock
from stagedoor.kernel.ids import HoldId, SeatId

_ONLY_ROW = 1
_SEATS_AT_ONCE = 10_000

_ALIVE_AT = select(clock_stop.c.alive_at)
_PULSE = update(clock_stop).where(clock_stop.c.alive_at < bindparam("at")).values(alive_at=bindparam("at"))
_SET_BACK = update(clock_stop).values(alive_at=bindparam("at"))

_NOTED_SINCE = (
    select(outage.c.began_at, outage.c.ended_at, outage.c.credited_ms)
    .where(outage.c.ended_at > bindparam("heard_at"))
    .order_by(outage.c.id)
)

_ANOTHER = hold.alias("another")

# Whoever has taken seats anew since a hold of hers ended was served as somebody who no longer has those of the old one.
_OPEN_THEN = SELECT_HOLD.where(
    hold.c.state == HoldState.OPEN.value,
    hold.c.expires_at > bindparam("alive_at"),
    ~select(_ANOTHER.c.id)
    .where(_ANOTHER.c.buyer_id == hold.c.buyer_id, _ANOTHER.c.placed_at >= hold.c.expires_at)
    .exists(),
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

CreditLine = Callable[[Connection, Outage], object]
"""Moves the passes of a line kept in this database later by what the outage took of them."""

GivenBack = Callable[[Outage], None]
"""Is told of an outage once it has been given back for good: what is only in memory has to follow."""


def _no_line(_connection: Connection, _outage: Outage) -> None:
    """Credit nothing: there is no line in this database."""


def _nobody(_outage: Outage) -> None:
    """Tell nobody."""


class SqlClockStop:
    """
    The durable sign of life of the service, and what is given back when it had stopped.

    *clock* is the machine's; *service_clock* goes on with each sign of life,
    from the first one on. With *for_broker* there is a broker, which has to
    hear of moved deadlines as well. *credit_line* runs in the transaction that notes an
    outage; *given_back* is told after it, on the event loop, of each outage
    once and in order.
    """

    def __init__(  # noqa: PLR0913 -- two clocks and two ends of the line
        self,
        lanes: Lanes,
        clock: Clock,
        service_clock: ServiceClock,
        *,
        credit_max_ms: int,
        for_broker: bool = False,
        credit_line: CreditLine = _no_line,
        given_back: GivenBack = _nobody,
    ) -> None:
        """Write through *lanes*, which must not be those that this clock stop is the guard of."""
        assert credit_max_ms >= 0
        self._lanes = lanes
        self._clock = clock
        self._service_clock = service_clock
        self._credit_max_ms = credit_max_ms
        self._for_broker = for_broker
        self._credit_line = credit_line
        self._given_back = given_back
        self._heard_at: Instant | None = None

    @property
    def stands(self) -> bool:
        """Whether there is a gap that was not given back yet: nobody may write before it is."""
        return self._service_clock.stands

    async def beat(self) -> int:
        """
        Give a sign of life, and first give back the gap before it.

        At the first beat of a process that is any gap since the last process,
        afterwards one of `GAP_MS` or more. A hold that was open when the
        service stopped is moved later by the gap; one that was placed after the
        last sign of life by the time since then. Returns how many milliseconds
        were given back, usually 0. Raises `Fault`: then nothing has been
        credited, or the next beat finds out that it has.
        """
        async with self._lanes.writing() as transaction:
            return await self.beat_in(transaction)

    async def beat_in(self, transaction: WriteTransaction) -> int:
        """Do what `beat` does in *transaction*, in which nothing was done yet, and commit it."""
        heard_at = self._heard_at
        ignored_below_ms = 1 if heard_at is None else GAP_MS

        def give_back(connection: Connection) -> tuple[Instant, Sequence[Outage]]:
            now = self._clock.now()
            alive_at: int | None = connection.scalar(_ALIVE_AT)
            gap_ms = 0 if alive_at is None else now - alive_at
            if alive_at is not None and gap_ms >= ignored_below_ms:
                self._credit(connection, Outage(Instant(alive_at), now, min(gap_ms, self._credit_max_ms)))
            _write_alive_at(connection, alive_at, now)
            return now, _noted_since(connection, Instant(now - 1) if heard_at is None else heard_at)

        now, outages = await transaction.run(give_back)
        await transaction.commit(proof=lambda connection: _has_beaten(connection, now))
        self._heard_at = now
        self._service_clock.alive(now)
        for one in outages:
            self._given_back(one)
        return sum(one.credited_ms for one in outages)

    def _credit(self, connection: Connection, stop: Outage) -> None:
        found = connection.execute(_OPEN_THEN, {"alive_at": stop.began_at}).all()
        holds = holds_of_rows(connection, found)
        extensions = credit.extend(holds, _claimants(connection, holds), stop)
        holds_moved = _EXTEND_HOLDS(
            connection,
            [(after.expires_at, after.extended_ms, after.id, before.expires_at) for before, after in extensions],
        )
        assert holds_moved == len(extensions)
        claims = [(after.expires_at, held.seat_id, after.id) for _, after in extensions for held in after.seats]
        claims_moved = _EXTEND_CLAIMS(connection, claims)
        assert claims_moved == len(claims)
        events = [credit.tell(extension, stop.ended_at) for extension in extensions]
        store_events(connection, events, for_broker=self._for_broker)
        connection.execute(insert(outage).values(**stop._asdict(), holds_extended=len(extensions)))
        self._credit_line(connection, stop)


def _noted_since(connection: Connection, heard_at: Instant) -> Sequence[Outage]:
    # Also what an earlier transaction noted whose commit had no answer: memory has not heard of it yet.
    return [
        Outage(Instant(began_at), Instant(ended_at), credited_ms)
        for began_at, ended_at, credited_ms in connection.execute(_NOTED_SINCE, {"heard_at": heard_at})
    ]


def _write_alive_at(connection: Connection, before: int | None, at: Instant) -> None:
    if before is None:
        connection.execute(insert(clock_stop).values(id=_ONLY_ROW, alive_at=at))
    elif before > at:
        # The machine's clock was ahead when it was last written: left there, the next outage would not show.
        connection.execute(_SET_BACK, {"at": at})
    else:
        connection.execute(_PULSE, {"at": at})


def _has_beaten(connection: Connection, at: Instant) -> bool:
    alive_at: int | None = connection.scalar(_ALIVE_AT)
    return alive_at is not None and alive_at >= at


def _claimants(connection: Connection, holds: Sequence[Hold]) -> Mapping[SeatId, HoldId | None]:
    seat_ids = [held.seat_id for one in holds for held in one.seats]
    claimants: dict[SeatId, HoldId | None] = {}
    for start in range(0, len(seat_ids), _SEATS_AT_ONCE):
        asked = {"seat_ids": seat_ids[start : start + _SEATS_AT_ONCE]}
        claimants |= {row.seat_id: row.hold_id for row in connection.execute(_CLAIMANTS, asked)}
    return claimants
