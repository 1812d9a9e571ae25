"""
While nobody can be served time stands still for the buyers: the gap between two signs of life is given back.

One row says when the service last lived. Giving back moves the deadlines and
that row in one transaction, so a crash in the middle of it gives nothing, and
doing it again gives nothing twice. At a start and in the middle of an evening
it is the same step.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from stagedoor.adapters.sql.bulk import Bulk
from stagedoor.adapters.sql.dialect import BEGIN_CLOCK_ONCE
from stagedoor.adapters.sql.hold_rows import SELECT_HOLD, holds_of_rows
from stagedoor.adapters.sql.lanes import Lanes, WriteTransaction
from stagedoor.adapters.sql.outbox_rows import store_events
from stagedoor.adapters.sql.sale_reads import lock_buyers_and_seats
from stagedoor.adapters.sql.tables import clock_stop, hold, outage, seat_claim
from stagedoor.checkout.deciding import credit
from stagedoor.holds.model import ExtensionCause, Hold, HoldState
from stagedoor.kernel.clock import GAP_MS, Clock, Instant, Outage, ServiceClock
from stagedoor.kernel.ids import HoldId, SeatId

_ONLY_ROW = 1
_SEATS_AT_ONCE = 10_000

_ALIVE_AT = select(clock_stop.c.alive_at)
_LOCK = _ALIVE_AT.with_for_update()
_PULSE = update(clock_stop).where(clock_stop.c.alive_at < bindparam("at")).values(alive_at=bindparam("at"))
_SET_BACK = update(clock_stop).values(alive_at=bindparam("at"))
_TOUCH = update(clock_stop).values(alive_at=clock_stop.c.alive_at)

_LAST_NOTED = select(func.max(outage.c.id))
# Whoever notes one has the clock stop locked, so that they are numbered in the order in which they are seen.
_NOTED_AFTER = (
    select(outage.c.id, outage.c.began_at, outage.c.ended_at, outage.c.credited_ms)
    .where(outage.c.id > bindparam("heard_of"))
    .order_by(outage.c.id)
)
_IS_NOTED = select(outage.c.id).where(outage.c.id == bindparam("noted"), outage.c.ended_at == bindparam("at"))

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

_EXTEND_HOLDS = Bulk.change(
    {
        "expires_later_at": hold.c.expires_at,
        "extended_by_ms": hold.c.extended_ms,
        "its_id": hold.c.id,
        "expired_at": hold.c.expires_at,
    },
    lambda given: (
        update(hold)
        .where(
            hold.c.id == given["its_id"],
            hold.c.state == HoldState.OPEN.value,
            hold.c.expires_at == given["expired_at"],
        )
        .values(
            expires_at=given["expires_later_at"],
            extended_ms=given["extended_by_ms"],
            extension_cause=ExtensionCause.OUTAGE.value,
        )
    ),
)

_EXTEND_CLAIMS = Bulk.change(
    {"held_later_until": seat_claim.c.held_until, "its_id": seat_claim.c.seat_id, "holder_id": seat_claim.c.hold_id},
    lambda given: (
        update(seat_claim)
        .where(seat_claim.c.seat_id == given["its_id"], seat_claim.c.hold_id == given["holder_id"])
        .values(held_until=given["held_later_until"])
    ),
)


def last_sign_of_life(connection: Connection) -> Instant | None:
    """Return when a process last wrote that it could serve, None if none ever has."""
    alive_at: int | None = connection.scalar(_ALIVE_AT)
    return None if alive_at is None else Instant(alive_at)


CreditLine = Callable[[Connection, Outage], object]
"""Moves the passes of a line kept in this database later by what the outage took of them."""

GivenBack = Callable[[Outage], None]
"""Is told of an outage once it has been given back for good: what is only in memory has to follow."""


OutOfUse = Callable[[], bool]
"""Says whether buyers cannot buy at this instant; it waits for nothing."""


def _never() -> bool:
    """Be of use whenever the database can be written to."""
    return False


def no_line(_connection: Connection, _outage: Outage) -> None:
    """Credit nothing: there is no line in this database."""


def _nobody(_outage: Outage) -> None:
    """Tell nobody."""


class SqlClockStop:
    """
    The durable sign of life of the service, and what is given back when it had stopped.

    *clock* is the machine's; *service_clock* goes on with each sign of life,
    from the first one on. With *for_broker* there is a broker, which has to
    hear of moved deadlines as well. *credit_max_ms* is the most that one outage
    gives back, and the most that one hold gets of all of them. *credit_line* runs in the transaction that notes an
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
        first_gap_ms: int = 1,
        credit_line: CreditLine = no_line,
        given_back: GivenBack = _nobody,
        out_of_use: OutOfUse = _never,
    ) -> None:
        """
        Write through *lanes*, which must not be those that this clock stop is the guard of.

        At the first beat, and at the first after the service was out of use, a
        gap of *first_gap_ms* or more is an outage. Where
        others may be serving it has to be `GAP_MS`, for the last of their signs
        of life is never quite now.
        """
        assert credit_max_ms >= 0
        assert 0 < first_gap_ms <= GAP_MS
        self._first_gap_ms = first_gap_ms
        self._lanes = lanes
        self._clock = clock
        self._service_clock = service_clock
        self._credit_max_ms = credit_max_ms
        self._for_broker = for_broker
        self._credit_line = credit_line
        self._given_back = given_back
        self._out_of_use = out_of_use
        self._heard_of: int | None = None

    @property
    def owes(self) -> bool:
        """
        Whether there is a gap that has to be given back before anybody writes.

        Not while it goes on out of use: until that ends, whoever writes goes by the time at which it began.
        """
        return self._service_clock.stands and not (self._service_clock.is_stopped and self._out_of_use())

    def look(self) -> bool:
        """Stop the time if buyers cannot buy right now; return whether that is so. To be called when that changes."""
        is_out_of_use = self._heard_of is not None and self._out_of_use()
        if is_out_of_use:
            self._service_clock.stop()
        return is_out_of_use

    async def beat(self) -> int:
        """
        Give a sign of life, and first give back the gap before it.

        At the first beat of a process that is any gap since the last process,
        and at the first one after the service was out of use the whole of that
        (unless there are several processes); otherwise one of `GAP_MS` or more. A hold that was open when the
        service stopped is moved later by the gap; one that was placed after the
        last sign of life by the time since then. Returns how many milliseconds
        were given back, usually 0. Raises `Fault`: then nothing has been
        credited, or the next beat finds out that it has.

        While the service is out of use no sign is given, but whether the
        database can be written to is found out all the same.
        """
        if self.look():
            await self._touch()
            return 0
        async with self._lanes.writing() as transaction:
            return await self.beat_in(transaction)

    async def beat_in(self, transaction: WriteTransaction) -> int:
        """Do what `beat` does in *transaction*, in which nothing was done yet, and commit it."""
        heard_of = self._heard_of
        is_afresh = heard_of is None or self._service_clock.is_stopped
        ignored_below_ms = self._first_gap_ms if is_afresh else GAP_MS

        def give_back(connection: Connection) -> _Beat:
            alive_at: int | None = connection.scalar(_LOCK)
            now = self._clock.now()
            before = (connection.scalar(_LAST_NOTED) or 0) if heard_of is None else heard_of
            gap_ms = 0 if alive_at is None else now - alive_at
            noted = None
            if alive_at is not None and gap_ms >= ignored_below_ms:
                noted = self._credit(connection, Outage(Instant(alive_at), now, min(gap_ms, self._credit_max_ms)))
            _write_alive_at(connection, alive_at, now)
            # Also what another process has noted, and what an earlier transaction of ours whose commit had no answer.
            return _Beat(now, noted, before, _noted_after(connection, before))

        beat = await transaction.run(give_back)
        self._heard_of = beat.heard_of
        await transaction.commit(proof=beat.has_happened)
        self._heard_of = max(beat.outages, default=beat.heard_of)
        self._service_clock.alive(beat.at)
        for one in beat.outages.values():
            self._given_back(one)
        return sum(one.credited_ms for one in beat.outages.values())

    async def _touch(self) -> None:
        """Write the last sign of life as it is. Raises `Fault` if that fails."""
        async with self._lanes.writing() as transaction:
            await transaction.run(lambda connection: connection.execute(_TOUCH))
            # It changes nothing, so a database that answers the question is proof enough.
            await transaction.commit(proof=lambda _: True)

    def _credit(self, connection: Connection, stop: Outage) -> int:
        """Give the outage back and note it; return its number."""

        def open_then() -> list[Hold]:
            rows = connection.execute(_OPEN_THEN, {"alive_at": stop.began_at}).all()
            return holds_of_rows(connection, rows)

        # Whoever has her wallet has her holds.
        buyer_ids = {one.buyer_id for one in open_then()}
        holds: list[Hold] = []

        def seats_then() -> set[SeatId]:
            holds.extend(one for one in open_then() if one.buyer_id in buyer_ids)
            return {held.seat_id for one in holds for held in one.seats}

        lock_buyers_and_seats(connection, buyer_ids, seats_then)
        extensions = credit.extend(holds, _claimants(connection, holds), stop, sum_max_ms=self._credit_max_ms)
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
        noted = connection.execute(insert(outage).values(**stop._asdict(), holds_extended=len(extensions)))
        self._credit_line(connection, stop)
        assert noted.inserted_primary_key is not None
        return int(noted.inserted_primary_key[0])


class _Beat(NamedTuple):
    """What one beat saw and wrote; *noted* is the number of the outage that it has given back itself."""

    at: Instant
    noted: int | None
    heard_of: int
    outages: Mapping[int, Outage]

    def has_happened(self, connection: Connection) -> bool:
        if self.noted is not None:
            return connection.execute(_IS_NOTED, {"noted": self.noted, "at": self.at}).first() is not None
        alive_at: int | None = connection.scalar(_ALIVE_AT)
        return alive_at is not None and alive_at >= self.at


def _noted_after(connection: Connection, heard_of: int) -> Mapping[int, Outage]:
    return {
        number: Outage(Instant(began_at), Instant(ended_at), credited_ms)
        for number, began_at, ended_at, credited_ms in connection.execute(_NOTED_AFTER, {"heard_of": heard_of})
    }


def _write_alive_at(connection: Connection, before: int | None, at: Instant) -> None:
    if before is None:
        BEGIN_CLOCK_ONCE(connection, [(_ONLY_ROW, at)])
    elif before > at:
        # The clock was ahead when it was last written: left there, the next outage would not show.
        connection.execute(_SET_BACK, {"at": at})
    else:
        connection.execute(_PULSE, {"at": at})


def _claimants(connection: Connection, holds: Sequence[Hold]) -> Mapping[SeatId, HoldId | None]:
    seat_ids = [held.seat_id for one in holds for held in one.seats]
    claimants: dict[SeatId, HoldId | None] = {}
    for start in range(0, len(seat_ids), _SEATS_AT_ONCE):
        asked = {"seat_ids": seat_ids[start : start + _SEATS_AT_ONCE]}
        claimants |= {row.seat_id: row.hold_id for row in connection.execute(_CLAIMANTS, asked)}
    return claimants
