"""
The rows a batch of the sale is decided on: read set by set, locked in one order.

Wallets by id, then holds by id, then seats by id. A buyer's wallet is the
lock on her holds too: whoever changes them has it. Who waited for a lock sees
what was committed meanwhile (READ COMMITTED), so what is not locked is read
after what is. `FOR UPDATE` is left out
where a database has no such thing, as in SQLite, whose one writer needs none.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from sqlalchemy import Connection, bindparam, func, literal, select

from stagedoor.adapters.sql.bulk import BulkQuery
from stagedoor.adapters.sql.buyers_keys import key_counts
from stagedoor.adapters.sql.encoding import decode_receipt
from stagedoor.adapters.sql.hold_rows import SELECT_HOLD, holds_of_rows
from stagedoor.adapters.sql.sized import SizedQuery, listed
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

LOCKED_AT_ONCE = 10_000

_BALANCES = SizedQuery(
    select(wallet.c.buyer_id, wallet.c.balance_won)
    .where(wallet.c.buyer_id.in_(listed("buyer_ids")))
    .order_by(wallet.c.buyer_id)
    .with_for_update(),
    "buyer_ids",
)

# By buyer or by id. As a plain column the state would tempt a database to walk through all holds of that state instead.
_STATE = hold.c.state + 0

_OPEN_AND_PAID = SizedQuery(
    SELECT_HOLD.where(
        hold.c.buyer_id.in_(listed("buyer_ids")), _STATE.in_([HoldState.OPEN.value, HoldState.PAID.value])
    )
    .order_by(hold.c.id)
    .with_for_update(),
    "buyer_ids",
)

_LET_GO = SizedQuery(
    SELECT_HOLD.where(
        hold.c.buyer_id.in_(listed("buyer_ids")),
        _STATE.in_([HoldState.RELEASED.value, HoldState.EXPIRED.value]),
        hold.c.ended_at > bindparam("since"),
    ),
    "buyer_ids",
)

_NAMED = SizedQuery(SELECT_HOLD.where(hold.c.id.in_(listed("ids"))), "ids")

_OVERDUE = SizedQuery(
    select(hold.c.id, hold.c.buyer_id)
    .where(hold.c.state == HoldState.OPEN.value, hold.c.expires_at <= bindparam("now"))
    .order_by(hold.c.expires_at, hold.c.id)
    .limit(bindparam("at_most"))
)

_STILL_OVERDUE = SizedQuery(
    SELECT_HOLD.where(
        hold.c.id.in_(listed("ids")), _STATE.in_([HoldState.OPEN.value]), hold.c.expires_at <= bindparam("now")
    )
    .order_by(hold.c.id)
    .with_for_update(),
    "ids",
)

_SEATS = SizedQuery(
    select(seat.c.id, seat.c.performance_id, seat.c.price_won)
    .where(seat.c.id.in_(listed("ids")))
    .order_by(seat.c.id)
    .with_for_update(),
    "ids",
)

_CLAIMS = SizedQuery(
    select(
        seat_claim.c.seat_id,
        seat_claim.c.performance_id,
        seat_claim.c.hold_id,
        seat_claim.c.state,
        seat_claim.c.held_until,
    ).where(seat_claim.c.seat_id.in_(listed("ids"))),
    "ids",
)

_PERFORMANCES = SizedQuery(
    select(performance.c.id, performance.c.room_id, performance.c.ends_at).where(performance.c.id.in_(listed("ids"))),
    "ids",
)

_CLOSED_PLACES = BulkQuery(
    {"room": closed_place.c.room_id, "of": closed_place.c.place_number},
    lambda given: select(closed_place.c.room_id, closed_place.c.place_number).where(
        closed_place.c.room_id == given["room"], closed_place.c.place_number == given["of"]
    ),
)

_KEYS = SizedQuery(
    select(
        idempotency_key.c.buyer_id,
        idempotency_key.c.call,
        idempotency_key.c.value,
        idempotency_key.c.fingerprint,
        idempotency_key.c.receipt,
    ).where(idempotency_key.c.buyer_id.in_(listed("buyer_ids")), idempotency_key.c.value.in_(listed("names"))),
    "buyer_ids",
    "names",
)

_KEY_COUNTS = SizedQuery(key_counts(listed("buyer_ids")), "buyer_ids")

_HELD_UP_TO = SizedQuery(
    select(func.count()).select_from(
        select(literal(1))
        .select_from(seat_claim)
        .where(seat_claim.c.performance_id == bindparam("id"), seat_claim.c.state == ClaimState.HELD.value)
        .limit(bindparam("enough"))
        .subquery()
    )
)

_UNSOLD = SizedQuery(
    select(
        select(func.count()).select_from(seat).where(seat.c.performance_id == bindparam("id")).scalar_subquery()
        - select(func.count())
        .select_from(seat_claim)
        .where(
            seat_claim.c.performance_id == bindparam("id"),
            seat_claim.c.state.in_([ClaimState.SOLD.value, ClaimState.BLOCKED.value]),
        )
        .scalar_subquery()
    )
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
    overdue = _OVERDUE(connection, now=now, at_most=limit)
    if not overdue:
        return SaleRows(now=now)
    # In the order in which a batch locks; until then somebody else may have ended some of them.
    _balances(connection, {buyer_id for _, buyer_id in overdue})
    rows = _STILL_OVERDUE(connection, ids=[id_ for id_, _ in overdue], now=now)
    holds = {one.id: one for one in holds_of_rows(connection, rows)}
    seat_ids = _seats_of_open(holds)
    _seats(connection, seat_ids)
    return SaleRows(now=now, holds=holds, claims=_claims(connection, seat_ids))


def lock_buyers_and_seats(
    connection: Connection, buyer_ids: Collection[BuyerId], seats_then: Callable[[], Collection[SeatId]]
) -> None:
    """Lock the wallets of any number of buyers, then what *seats_then* returns once they are locked."""
    for some in _in_order(buyer_ids):
        _BALANCES(connection, buyer_ids=some)
    for some in _in_order(seats_then()):
        _SEATS(connection, ids=some)


def _in_order(ids: Collection[int]) -> Iterator[Sequence[int]]:
    ordered = sorted(ids)
    return (ordered[start : start + LOCKED_AT_ONCE] for start in range(0, len(ordered), LOCKED_AT_ONCE))


def _balances(connection: Connection, buyer_ids: Iterable[BuyerId]) -> Mapping[BuyerId, Won]:
    rows = _BALANCES(connection, buyer_ids=list(buyer_ids))
    return {BuyerId(buyer_id): Won(balance_won) for buyer_id, balance_won in rows}


def _holds(
    connection: Connection,
    commands: Sequence[SaleCommand],
    buyer_ids: Iterable[BuyerId],
    let_go_since: Instant | None,
) -> Mapping[HoldId, Hold]:
    buyers = list(buyer_ids)
    rows = list(_OPEN_AND_PAID(connection, buyer_ids=buyers))
    if let_go_since is not None:
        rows += _LET_GO(connection, buyer_ids=buyers, since=let_go_since)
    # What is named and not among them is another buyer's, or long over: good for a refusal only, so it needs no lock.
    named = {command.hold_id for command in commands if isinstance(command, PayForHold | ReleaseHold)}
    if missing := named.difference(row[0] for row in rows):
        rows += _NAMED(connection, ids=list(missing))
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
        for seat_id, performance_id, price_won in _SEATS(connection, ids=list(seat_ids))
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
        for seat_id, performance_id, hold_id, state, held_until in _CLAIMS(connection, ids=list(seat_ids))
    }


def _performances(connection: Connection, ids: AbstractSet[PerformanceId]) -> Mapping[PerformanceId, OnSale]:
    if not ids:
        return {}
    return {
        PerformanceId(id_): OnSale(id=PerformanceId(id_), room_id=RoomId(room_id), ends_at=Instant(ends_at))
        for id_, room_id, ends_at in _PERFORMANCES(connection, ids=list(ids))
    }


def _closed_places(connection: Connection, commands: Sequence[SaleCommand]) -> frozenset[PlaceRef]:
    named = {command.place for command in commands if isinstance(command, PlaceHold | ClosePlace)}
    found = _CLOSED_PLACES(connection, [(place.room_id, place.number) for place in named])
    return frozenset(PlaceRef(room_id=RoomId(room_id), number=QueueNumber(number)) for room_id, number in found)


def _keys(
    connection: Connection, commands: Sequence[SaleCommand], since: Instant
) -> tuple[Mapping[KeyScope, StoredKey], Mapping[BuyerId, int]]:
    keyed = [command for command in commands if not isinstance(command, ClosePlace)]
    scopes = {scope for command in keyed if (scope := scope_of(command)) is not None}
    if not scopes:
        return {}, {}
    buyers = list({buyer_id for buyer_id, _, _ in scopes})
    rows = _KEYS(connection, buyer_ids=buyers, names=list({value for _, _, value in scopes}))
    keys = {
        scope: StoredKey(fingerprint=fingerprint, receipt=decode_receipt(call, receipt))
        for buyer_id, call, value, fingerprint, receipt in rows
        if (scope := (BuyerId(buyer_id), call, value)) in scopes
    }
    counts = _KEY_COUNTS(connection, buyer_ids=buyers, since=since)
    return keys, {BuyerId(buyer_id): count for buyer_id, count in counts}


def _unsold(connection: Connection, performance_id: PerformanceId, *, enough: int) -> int:
    # During a sale more seats are held than a batch could sell, and counting so many says that it is not sold out.
    # Only near the end is everything counted.
    [(held,)] = _HELD_UP_TO(connection, id=performance_id, enough=enough)
    if held >= enough:
        return int(held)
    [(unsold,)] = _UNSOLD(connection, id=performance_id)
    return int(unsold)
