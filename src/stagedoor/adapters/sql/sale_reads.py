"""
The rows a batch of the sale is decided on: read set by set, locked in one order.

Wallets by id, then holds by id, then seats by id. A buyer's wallet is the
lock on her holds too: whoever changes them has it. `FOR UPDATE` is left out
where a database has no such thing, as in SQLite, whose one writer needs none.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, func, literal, select

from stagedoor.adapters.sql.encoding import decode_receipt
from stagedoor.adapters.sql.hold_rows import SELECT_HOLD, holds_of_rows
from stagedoor.adapters.sql.tables import closed_place, hold, idempotency_key, performance, seat, seat_claim, wallet
from stagedoor.checkout.commands import ClosePlace, PayForHold, PlaceHold, ReleaseHold, SaleCommand
from stagedoor.checkout.keys import scope_of
from stagedoor.checkout.rows import Claim, KeyScope, OnSale, PricedSeat, SaleRows, StoredKey
from stagedoor.holds.model import Hold, HoldPolicy, HoldState
from stagedoor.kernel.clock import Clock, Instant, later
from stagedoor.kernel.idempotency import KEY_KEPT_MS
from stagedoor.kernel.ids import BuyerId, HoldId, PerformanceId, PlaceRef, QueueNumber, RoomId, SeatId
from stagedoor.kernel.money import Won
from stagedoor.seating.model import ClaimState

_BUYERS: BindParameter[Any] = bindparam("buyer_ids", expanding=True)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)

_BALANCES = (
    select(wallet.c.buyer_id, wallet.c.balance_won)
    .where(wallet.c.buyer_id.in_(_BUYERS))
    .order_by(wallet.c.buyer_id)
    .with_for_update()
)

_OPEN_AND_PAID = (
    SELECT_HOLD.where(hold.c.buyer_id.in_(_BUYERS), hold.c.state.in_([HoldState.OPEN.value, HoldState.PAID.value]))
    .order_by(hold.c.id)
    .with_for_update()
)

_LET_GO = SELECT_HOLD.where(
    hold.c.buyer_id.in_(_BUYERS),
    hold.c.state.in_([HoldState.RELEASED.value, HoldState.EXPIRED.value]),
    hold.c.ended_at > bindparam("since"),
)

_NAMED = SELECT_HOLD.where(hold.c.id.in_(_IDS))

_OVERDUE = (
    SELECT_HOLD.where(hold.c.state == HoldState.OPEN.value, hold.c.expires_at <= bindparam("now"))
    .order_by(hold.c.expires_at, hold.c.id)
    .limit(bindparam("at_most"))
    .with_for_update()
)

_SEATS = (
    select(seat.c.id, seat.c.performance_id, seat.c.price_won)
    .where(seat.c.id.in_(_IDS))
    .order_by(seat.c.id)
    .with_for_update()
)

_CLAIMS = select(
    seat_claim.c.seat_id,
    seat_claim.c.performance_id,
    seat_claim.c.hold_id,
    seat_claim.c.state,
    seat_claim.c.held_until,
).where(seat_claim.c.seat_id.in_(_IDS))

_PERFORMANCES = select(performance.c.id, performance.c.room_id, performance.c.ends_at).where(performance.c.id.in_(_IDS))

_CLOSED_PLACES = select(closed_place.c.room_id, closed_place.c.place_number).where(
    closed_place.c.room_id.in_(bindparam("room_ids", expanding=True)),
    closed_place.c.place_number.in_(bindparam("numbers", expanding=True)),
)

_KEYS = select(
    idempotency_key.c.buyer_id,
    idempotency_key.c.call,
    idempotency_key.c.value,
    idempotency_key.c.fingerprint,
    idempotency_key.c.receipt,
).where(idempotency_key.c.buyer_id.in_(_BUYERS), idempotency_key.c.value.in_(bindparam("values", expanding=True)))

_KEY_COUNTS = (
    select(idempotency_key.c.buyer_id, func.count())
    .where(idempotency_key.c.buyer_id.in_(_BUYERS), idempotency_key.c.stored_at > bindparam("since"))
    .group_by(idempotency_key.c.buyer_id)
)

_HELD_UP_TO = select(func.count()).select_from(
    select(literal(1))
    .select_from(seat_claim)
    .where(seat_claim.c.performance_id == bindparam("id"), seat_claim.c.state == ClaimState.HELD.value)
    .limit(bindparam("enough"))
    .subquery()
)

_UNSOLD = select(
    select(func.count()).select_from(seat).where(seat.c.performance_id == bindparam("id")).scalar_subquery()
    - select(func.count())
    .select_from(seat_claim)
    .where(
        seat_claim.c.performance_id == bindparam("id"),
        seat_claim.c.state.in_([ClaimState.SOLD.value, ClaimState.BLOCKED.value]),
    )
    .scalar_subquery()
)


def load(connection: Connection, commands: Sequence[SaleCommand], policy: HoldPolicy, clock: Clock) -> SaleRows:
    """Read and lock what deciding *commands* needs."""
    placing = [command for command in commands if isinstance(command, PlaceHold)]
    buyer_ids = {command.buyer_id for command in commands}
    balances = _balances(connection, buyer_ids)
    let_go_since = later(clock.now(), -policy.closed_to_her_ms) if placing else None
    holds = _holds(connection, commands, buyer_ids, let_go_since)
    asked = Counter(seat_id for command in placing for seat_id in command.seat_ids)
    seat_ids = asked.keys() | _seats_of_open(holds)
    seats = _seats(connection, seat_ids)
    claims = _claims(connection, seat_ids)
    now = clock.now()
    contested = {
        seats[seat_id].performance_id
        for seat_id, times in asked.items()
        if seat_id in seats and (times > 1 or (seat_id in claims and claims[seat_id].held_until > now))
    }
    keys, key_counts = _keys(connection, commands, later(now, -KEY_KEPT_MS))
    return SaleRows(
        now=now,
        balances=balances,
        performances=_performances(connection, {command.performance_id for command in placing}),
        seats=seats,
        claims=claims,
        holds=holds,
        closed_places=_closed_places(connection, commands),
        keys=keys,
        key_counts=key_counts,
        unsold={id_: _unsold(connection, id_, enough=len(seat_ids) + 1) for id_ in contested},
    )


def load_overdue(connection: Connection, limit: int, clock: Clock) -> SaleRows:
    """Read and lock the oldest holds whose deadline has passed though they are written down as open."""
    now = clock.now()
    rows = connection.execute(_OVERDUE, {"now": now, "at_most": limit}).all()
    holds = {one.id: one for one in holds_of_rows(connection, rows)}
    seat_ids = _seats_of_open(holds)
    _seats(connection, seat_ids)
    return SaleRows(now=now, holds=holds, claims=_claims(connection, seat_ids))


def _balances(connection: Connection, buyer_ids: Iterable[BuyerId]) -> Mapping[BuyerId, Won]:
    rows = connection.execute(_BALANCES, {"buyer_ids": list(buyer_ids)}).all()
    return {BuyerId(buyer_id): Won(balance_won) for buyer_id, balance_won in rows}


def _holds(
    connection: Connection,
    commands: Sequence[SaleCommand],
    buyer_ids: Iterable[BuyerId],
    let_go_since: Instant | None,
) -> Mapping[HoldId, Hold]:
    buyers = list(buyer_ids)
    rows = list(connection.execute(_OPEN_AND_PAID, {"buyer_ids": buyers}).all())
    if let_go_since is not None:
        rows += connection.execute(_LET_GO, {"buyer_ids": buyers, "since": let_go_since}).all()
    # What is named and not among them is another buyer's, or long over: good for a refusal only, so it needs no lock.
    named = {command.hold_id for command in commands if isinstance(command, PayForHold | ReleaseHold)}
    if missing := named.difference(row[0] for row in rows):
        rows += connection.execute(_NAMED, {"ids": list(missing)}).all()
    return {one.id: one for one in holds_of_rows(connection, rows)}


def _seats_of_open(holds: Mapping[HoldId, Hold]) -> AbstractSet[SeatId]:
    return {seat.seat_id for one in holds.values() if one.state is HoldState.OPEN for seat in one.seats}


def _seats(connection: Connection, seat_ids: AbstractSet[SeatId]) -> Mapping[SeatId, PricedSeat]:
    if not seat_ids:
        return {}
    return {
        SeatId(seat_id): PricedSeat(
            id=SeatId(seat_id), performance_id=PerformanceId(performance_id), price_won=Won(price_won)
        )
        for seat_id, performance_id, price_won in connection.execute(_SEATS, {"ids": list(seat_ids)}).all()
    }


def _claims(connection: Connection, seat_ids: AbstractSet[SeatId]) -> Mapping[SeatId, Claim]:
    if not seat_ids:
        return {}
    return {
        SeatId(seat_id): Claim(
            seat_id=SeatId(seat_id),
            performance_id=PerformanceId(performance_id),
            hold_id=None if hold_id is None else HoldId(hold_id),
            state=ClaimState(state),
            held_until=Instant(held_until),
        )
        for seat_id, performance_id, hold_id, state, held_until in connection.execute(
            _CLAIMS, {"ids": list(seat_ids)}
        ).all()
    }


def _performances(connection: Connection, ids: AbstractSet[PerformanceId]) -> Mapping[PerformanceId, OnSale]:
    if not ids:
        return {}
    return {
        PerformanceId(id_): OnSale(id=PerformanceId(id_), room_id=RoomId(room_id), ends_at=Instant(ends_at))
        for id_, room_id, ends_at in connection.execute(_PERFORMANCES, {"ids": list(ids)}).all()
    }


def _closed_places(connection: Connection, commands: Sequence[SaleCommand]) -> frozenset[PlaceRef]:
    named = {command.place for command in commands if isinstance(command, PlaceHold | ClosePlace)}
    if not named:
        return frozenset()
    asked = {"room_ids": list({place.room_id for place in named}), "numbers": [place.number for place in named]}
    # Two rooms may both have closed a number of which only one was asked for.
    return frozenset(named) & {
        PlaceRef(room_id=RoomId(room_id), number=QueueNumber(number))
        for room_id, number in connection.execute(_CLOSED_PLACES, asked).all()
    }


def _keys(
    connection: Connection, commands: Sequence[SaleCommand], since: Instant
) -> tuple[Mapping[KeyScope, StoredKey], Mapping[BuyerId, int]]:
    keyed = [command for command in commands if not isinstance(command, ClosePlace)]
    scopes = {scope for command in keyed if (scope := scope_of(command)) is not None}
    if not scopes:
        return {}, {}
    buyers = list({buyer_id for buyer_id, _, _ in scopes})
    rows = connection.execute(_KEYS, {"buyer_ids": buyers, "values": list({value for _, _, value in scopes})}).all()
    keys = {
        scope: StoredKey(fingerprint=fingerprint, receipt=decode_receipt(call, receipt))
        for buyer_id, call, value, fingerprint, receipt in rows
        if (scope := (BuyerId(buyer_id), call, value)) in scopes
    }
    counts = connection.execute(_KEY_COUNTS, {"buyer_ids": buyers, "since": since}).all()
    return keys, {BuyerId(buyer_id): count for buyer_id, count in counts}


def _unsold(connection: Connection, performance_id: PerformanceId, *, enough: int) -> int:
    # During a sale more seats are held than a batch could sell, and counting so many says that it is not sold out.
    # Only near the end is everything counted.
    held: int | None = connection.scalar(_HELD_UP_TO, {"id": performance_id, "enough": enough})
    assert held is not None
    if held >= enough:
        return held
    unsold: int | None = connection.scalar(_UNSOLD, {"id": performance_id})
    assert unsold is not None
    return unsold
