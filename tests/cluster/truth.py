"""
The judge of a sale that was played to its end: what buyers were told, beside what the database and Kafka hold.

Nobody gave up before she was answered, so both sides are the same: all that
was told is stored, and nothing is stored that nobody was told of.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from sqlalchemy import Connection, Row, Table, select

from stagedoor.adapters.kafka.wire import ORDERS
from stagedoor.adapters.sql import tables
from stagedoor.holds.model import HoldState
from stagedoor.waiting_room.model import PlaceState
from tests.cluster.house import House
from tests.e2e.harness.answers import Answer
from tests.e2e.harness.checkers import (
    TAKEN,
    keys_with_two_effects,
    money_astray,
    paid_twice,
    seats_promised_twice,
    sold_out_too_soon,
)
from tests.e2e.harness.evening import OPENING_BALANCE_WON
from tests.e2e.harness.promises import CHECK, JOIN, PAY, RESERVE, calls, granted, instant, seats_asked
from tests.kafka.topics import events_on

AnyRow = Row[Any]

CLOCKS_APART_MS = 50
"""The database's instants and the client's are of one machine, but not read in one moment."""

HEARD_WITHIN_MS = 1_000
"""So late a process may hear of what another one has written, and go on telling what was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The rows, by their keys; *events* and *sent* count the ids of events of paid orders, in SQL and on Kafka."""

    places: Mapping[int, AnyRow]
    passes: Mapping[int, Sequence[AnyRow]]
    holds: Mapping[int, AnyRow]
    seats: Mapping[int, frozenset[int]]
    orders: Mapping[int, AnyRow]
    balances: Mapping[int, int]
    events: Mapping[str, int]
    notified: Sequence[AnyRow]
    sent: Counter[str]


async def read(house: House) -> Stored:
    """Read everything."""
    async with house.lanes() as lanes:
        rows = await lanes.reading(lambda connection: {table.name: _all(connection, table) for table in _TABLES})
    passes: dict[int, list[AnyRow]] = defaultdict(list)
    for row in rows["admission_pass"]:
        passes[row.number].append(row)
    seats: dict[int, set[int]] = defaultdict(set)
    for row in rows["hold_seat"]:
        seats[row.hold_id].add(row.seat_id)
    return Stored(
        places={row.number: row for row in rows["place"]},
        passes=passes,
        holds={row.id: row for row in rows["hold"]},
        seats={hold_id: frozenset(some) for hold_id, some in seats.items()},
        orders={row.id: row for row in rows["purchase"]},
        balances={row.buyer_id: row.balance_won for row in rows["wallet"]},
        events={row.event_id: row.subject_id for row in rows["outbox"] if row.type == "OrderPaid"},
        notified=rows["notification"],
        sent=Counter(event.event_id for event in await events_on(house.kafka.bootstrap, ORDERS)),
    )


_TABLES = (
    tables.place,
    tables.admission_pass,
    tables.hold,
    tables.hold_seat,
    tables.purchase,
    tables.wallet,
    tables.outbox,
    tables.notification,
)


def _all(connection: Connection, table: Table) -> Sequence[AnyRow]:
    return connection.execute(select(table)).all()


def contradictions(record: Sequence[Answer], stored: Stored, *, seats: int) -> list[str]:
    """Return whatever differs, in words."""
    buyers = {answer.buyer_id for answer in record}
    balances = {buyer_id: won for buyer_id, won in stored.balances.items() if buyer_id in buyers}
    return [
        *seats_promised_twice(record),
        *sold_out_too_soon(record, seats),
        *paid_twice(record),
        *keys_with_two_effects(record),
        *money_astray(record, opening=OPENING_BALANCE_WON, balances=balances),
        *_places(record, stored),
        *_polls(record, stored),
        *_holds(record, stored),
        *_taken(record, stored),
        *_orders(record, stored),
        *_events(stored),
    ]


def number_in(token: str) -> int:
    """Return the queue number in a token."""
    number: int = jwt.decode(token, options={"verify_signature": False})["num"]
    return number


def _places(record: Sequence[Answer], stored: Stored) -> Iterator[str]:
    """Every number that was told is its buyer's, and is through: she has paid, or left when all was sold."""
    payers = {answer.buyer_id for answer in granted(record, PAY)}
    for answer in granted(record, JOIN):
        number = number_in(answer.data["queueToken"])
        row = stored.places.get(number)
        if row is None or row.buyer_id != answer.buyer_id:
            yield f"number {number} was told to {answer.buyer_id}, and is {row}"
        elif row.state != (PlaceState.DONE if answer.buyer_id in payers else PlaceState.EXPIRED):
            yield f"number {number} of {answer.buyer_id} is {row}"
    for number, row in stored.places.items():
        if row.buyer_id in payers and len(stored.passes.get(number, ())) > 1:
            yield f"number {number} was let in {len(stored.passes[number])} times"


def _polls(record: Sequence[Answer], stored: Stored) -> Iterator[str]:
    """Who was told that she is inside was let in by then; who was told that she waits was not, a moment before."""
    admitted_at: dict[int, int] = {}
    for number, passes in stored.passes.items():
        if number in stored.places:
            buyer_id = stored.places[number].buyer_id
            admitted_at[buyer_id] = min(row.admitted_at for row in passes)
    for answer in granted(record, CHECK):
        at = admitted_at.get(answer.buyer_id)
        status = answer.data["status"]
        if status == "PROGRESS" and (at is None or at > answer.answered_at + CLOCKS_APART_MS):
            yield f"{answer} at {answer.answered_at}, and was let in at {at}"
        heard_by = answer.sent_at - HEARD_WITHIN_MS
        if status == "WAITING" and not answer.document.get("stale") and at is not None and at < heard_by:
            yield f"{answer} at {answer.sent_at}, and was let in at {at}"


def _holds(record: Sequence[Answer], stored: Stored) -> Iterator[str]:
    """Each hold that was told is there, under the number she had, for as long as was told; and there is no other."""
    told: set[int] = set()
    for answer in granted(record, RESERVE):
        hold_id = answer.data["reservationId"]
        told.add(hold_id)
        row = stored.holds.get(hold_id)
        if row is None or (row.buyer_id, stored.seats[hold_id]) != (answer.buyer_id, seats_asked(answer.asked)):
            yield f"{answer}, and the hold is {row}"
        elif row.expires_at < instant(answer.data["reservedUntilAt"]):
            yield f"{answer}, and the hold ends at {row.expires_at}"
    for hold_id, row in stored.holds.items():
        if hold_id not in told or row.state != HoldState.PAID:
            yield f"{'nobody was told of ' if hold_id not in told else 'not paid: '}{row}"


def _taken(record: Sequence[Answer], stored: Stored) -> Iterator[str]:
    """A seat that was said to be taken was somebody else's by then. All are paid for, so none came back."""
    taken_at = {seat_id: row.placed_at for row in stored.holds.values() for seat_id in stored.seats[row.id]}
    owner = {seat_id: row.buyer_id for row in stored.holds.values() for seat_id in stored.seats[row.id]}
    for answer in calls(record, RESERVE):
        [seat_id] = seats_asked(answer.asked)
        at = taken_at.get(seat_id)
        if answer.verdict == TAKEN and (at is None or at > answer.answered_at or owner[seat_id] == answer.buyer_id):
            yield f"{answer}, and the seat was taken at {at} by {owner.get(seat_id)}"


def _orders(record: Sequence[Answer], stored: Stored) -> Iterator[str]:
    """What was paid is an order of hers, and there is no other."""
    told: set[int] = set()
    for answer in granted(record, PAY):
        order_id, paid = answer.data["orderId"], answer.data["paymentAmount"]
        told.add(order_id)
        row = stored.orders.get(order_id)
        expected = (answer.asked["reservationId"], answer.buyer_id, paid)
        if row is None or (row.hold_id, row.buyer_id, row.amount_won) != expected:
            yield f"{answer}, and the order is {row}"
    yield from (f"nobody was told of {row}" for order_id, row in stored.orders.items() if order_id not in told)


def _events(stored: Stored) -> Iterator[str]:
    """Each order has its event, which Kafka has at least once, and was acted on exactly once."""
    by_hold = Counter(stored.events.values())
    notified = Counter(row.order_id for row in stored.notified)
    for row in stored.orders.values():
        if (by_hold[row.hold_id], notified[row.id]) != (1, 1):
            yield f"{row} has {by_hold[row.hold_id]} events and {notified[row.id]} notifications"
    for event_id in stored.events.keys() - stored.sent.keys():
        yield f"event {event_id} was never sent"
    for event_id in stored.sent.keys() - stored.events.keys():
        yield f"event {event_id} was sent, and never happened"
    if len(stored.notified) != len(stored.orders):
        yield f"{len(stored.orders)} orders, {len(stored.notified)} notifications"
