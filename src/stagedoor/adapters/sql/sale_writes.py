"""A batch of the sale, written set by set; each statement repeats what was decided on, and its rows are counted."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, bindparam, delete, func, select, update

from stagedoor.adapters.sql import audit
from stagedoor.adapters.sql.bulk import Bulk
from stagedoor.adapters.sql.dialect import CLAIM_SEATS, CLOSE_PLACES
from stagedoor.adapters.sql.encoding import encode_receipt
from stagedoor.adapters.sql.outbox_rows import store_events
from stagedoor.adapters.sql.sized import SizedWrite, listed
from stagedoor.adapters.sql.tables import (
    hold,
    hold_seat,
    idempotency_key,
    outbox,
    purchase,
    seat_claim,
    sold_seat,
    transfer,
    wallet,
)
from stagedoor.checkout.rows import Claim, KeyToStore, SaleWrites, ShopCredit
from stagedoor.holds.model import Hold, HoldState
from stagedoor.kernel.clock import FOREVER, Instant
from stagedoor.operators.model import AuditEntry
from stagedoor.seating.model import ClaimState

_OPEN = HoldState.OPEN.value
_NOW: BindParameter[int] = bindparam("now")

_OPEN_HOLDS = Bulk.insert(
    hold,
    "id",
    "buyer_id",
    "room_id",
    "place_number",
    "performance_id",
    "state",
    "placed_at",
    "expires_at",
    "extended_ms",
)
_KEEP_SEATS = Bulk.insert(hold_seat, "hold_id", "seat_id", "price_won")
_WRITE_ORDERS = Bulk.insert(purchase, "id", "hold_id", "buyer_id", "performance_id", "amount_won", "paid_at")
_PROVE_SALES = Bulk.insert(sold_seat, "seat_id", "purchase_id")
_POST_TRANSFERS = Bulk.insert(
    transfer, "id", "buyer_id", "kind", "debit", "credit", "amount_won", "cause_id", "posted_at"
)
_STORE_KEYS = Bulk.insert(idempotency_key, "buyer_id", "call", "value", "fingerprint", "receipt", "stored_at")
# A balance that is not what it was is neither written nor counted.
_SET_BALANCES = Bulk.change(
    {"after_won": wallet.c.balance_won, "buyer": wallet.c.buyer_id, "before_won": wallet.c.balance_won},
    lambda given: (
        update(wallet)
        .where(wallet.c.buyer_id == given["buyer"], wallet.c.balance_won == given["before_won"])
        .values(balance_won=given["after_won"])
    ),
)

# By id. As a plain column the state would tempt SQLite to walk through all open holds by their index instead.
_THESE_OPEN = (hold.c.id.in_(listed("hold_ids")), hold.c.state + 0 == _OPEN)

_END_IN_TIME = SizedWrite(
    update(hold).where(*_THESE_OPEN, hold.c.expires_at > _NOW).values(state=bindparam("ended_as"), ended_at=_NOW),
    "hold_ids",
)
_EXPIRE = SizedWrite(
    update(hold)
    .where(*_THESE_OPEN, hold.c.expires_at <= _NOW)
    .values(state=HoldState.EXPIRED.value, ended_at=hold.c.expires_at),
    "hold_ids",
)

_HELD_BY_THEM = (
    seat_claim.c.seat_id.in_(listed("seat_ids")),
    seat_claim.c.hold_id.in_(listed("hold_ids")),
    seat_claim.c.state == ClaimState.HELD.value,
)
_FREE = SizedWrite(delete(seat_claim).where(*_HELD_BY_THEM), "seat_ids", "hold_ids")
_SELL = SizedWrite(
    update(seat_claim)
    .where(*_HELD_BY_THEM, seat_claim.c.held_until > _NOW)
    .values(state=ClaimState.SOLD.value, held_until=FOREVER),
    "seat_ids",
    "hold_ids",
)


def write(connection: Connection, writes: SaleWrites, *, for_broker: bool) -> None:
    """
    Write the batch. Raises `AssertionError` where a row is no longer what was decided on.

    With *for_broker* its public events wait for the broker as well.
    """
    _open_holds(connection, writes.holds_opened.values())
    _write_claims(connection, writes)
    _end_holds(connection, writes)
    _write_orders(connection, writes)
    _move_money(connection, writes)
    CLOSE_PLACES(connection, [(place.room_id, place.number, writes.now) for place in writes.closed_places])
    _store_keys(connection, writes.keys, writes.now)
    store_events(connection, writes.events, for_broker=for_broker)
    for credit in writes.credits:
        audit.append(connection, _credit_entry(credit))


def is_stored(connection: Connection, writes: SaleWrites) -> bool:
    """Whether the ids of the batch are in the database: the proof of a commit that gave no answer."""
    return (
        _all_there(connection, outbox.c.event_id, {event.event_id for event in writes.events})
        and _all_there(connection, transfer.c.id, {posted.id for posted in writes.transfers})
        and all(_key_is_stored(connection, stored) for stored in writes.keys)
    )


def _all_there(connection: Connection, column: ColumnElement[Any], ids: Collection[object]) -> bool:
    found: int | None = connection.scalar(select(func.count()).where(column.in_(ids)))
    return found == len(ids)


def _key_is_stored(connection: Connection, stored: KeyToStore) -> bool:
    receipt = connection.scalar(
        select(idempotency_key.c.receipt).where(
            idempotency_key.c.buyer_id == stored.buyer_id,
            idempotency_key.c.call == stored.call,
            idempotency_key.c.value == stored.key.value,
        )
    )
    return receipt == encode_receipt(stored.receipt)


def _open_holds(connection: Connection, opened: Collection[Hold]) -> None:
    rows = [
        (
            one.id,
            one.buyer_id,
            one.place.room_id,
            one.place.number,
            one.performance_id,
            _OPEN,
            one.placed_at,
            one.expires_at,
            0,
        )
        for one in opened
    ]
    _OPEN_HOLDS(connection, rows)
    _KEEP_SEATS(connection, [(one.id, held.seat_id, held.price_won) for one in opened for held in one.seats])


def _write_claims(connection: Connection, writes: SaleWrites) -> None:
    freed: list[Claim] = []
    sold: list[Claim] = []
    claimed: list[Claim] = []
    ended = writes.holds_ended
    for seat_id, claim in writes.claims.items():
        before = writes.claims_before.get(seat_id)
        if before is not None and claim is not None and before.hold_id == claim.hold_id:
            assert claim.state is ClaimState.SOLD
            sold.append(claim)
            continue
        # A claim that was over at this instant is overwritten where it stands. One that was not may only be gone if its
        # hold was ended in this very batch; any other is left for the claiming write to trip over.
        if before is not None and (claim is None or (before.held_until > writes.now and before.hold_id in ended)):
            freed.append(before)
        if claim is not None:
            claimed.append(claim)
    if freed:
        _expect(len(freed), _FREE(connection, **_named(freed)))
    if sold:
        _expect(len(sold), _SELL(connection, **_named(sold), now=writes.now))
    rows = [(one.seat_id, one.performance_id, one.hold_id, one.state.value, one.held_until) for one in claimed]
    _expect(len(rows), CLAIM_SEATS(connection, rows, now=writes.now))


def _named(claims: Sequence[Claim]) -> Mapping[str, Sequence[int]]:
    return {
        "seat_ids": [claim.seat_id for claim in claims],
        "hold_ids": list({claim.hold_id for claim in claims if claim.hold_id is not None}),
    }


def _end_holds(connection: Connection, writes: SaleWrites) -> None:
    by_state: defaultdict[HoldState, list[int]] = defaultdict(list)
    for one in writes.holds_ended.values():
        by_state[one.state].append(one.id)
    for state, hold_ids in by_state.items():
        if state is HoldState.EXPIRED:
            ended = _EXPIRE(connection, hold_ids=hold_ids, now=writes.now)
        else:
            ended = _END_IN_TIME(connection, hold_ids=hold_ids, now=writes.now, ended_as=state.value)
        _expect(len(hold_ids), ended)


def _write_orders(connection: Connection, writes: SaleWrites) -> None:
    orders = writes.orders
    _WRITE_ORDERS(
        connection,
        [
            (order.id, order.hold_id, order.buyer_id, order.performance_id, order.amount_won, order.paid_at)
            for order in orders
        ],
    )
    _PROVE_SALES(
        connection,
        [(held.seat_id, order.id) for order in orders for held in writes.holds_ended[order.hold_id].seats],
    )


def _move_money(connection: Connection, writes: SaleWrites) -> None:
    _POST_TRANSFERS(
        connection,
        [
            (
                posted.id,
                posted.buyer_id,
                posted.kind.value,
                posted.debit,
                posted.credit,
                posted.amount_won,
                posted.cause_id,
                posted.posted_at,
            )
            for posted in writes.transfers
        ],
    )
    changes = [
        (balance_won, buyer_id, writes.balances_before[buyer_id]) for buyer_id, balance_won in writes.balances.items()
    ]
    _expect(len(changes), _SET_BALANCES(connection, changes))


def _store_keys(connection: Connection, keys: Sequence[KeyToStore], now: Instant) -> None:
    _STORE_KEYS(
        connection,
        [
            (one.buyer_id, one.call, one.key.value, one.key.fingerprint, encode_receipt(one.receipt), now)
            for one in keys
        ],
    )


def _credit_entry(credit: ShopCredit) -> AuditEntry:
    posted = credit.transfer
    return AuditEntry(
        at=posted.posted_at,
        actor=credit.by_shop,
        action="wallet.credit",
        subject=posted.credit,
        detail={"transfer_id": posted.id, "amount_won": posted.amount_won},
    )


def _expect(decided: int, written: int) -> None:
    # Decided on rows that were locked, so nobody else can have been there: a difference is our own bug.
    assert written == decided, f"{decided} rows were decided on, {written} were written"
