"""What the database holds, read in one transaction while a server may be at work."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Table, create_engine, event, select

from stagedoor.adapters.sql import tables
from stagedoor.outbox.model import OutboxState
from stagedoor.wallet.model import TransferKind
from tests.e2e.harness.answers import now_ms

AnyRow = Row[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """
    The rows that answers are compared with; holds and places also by buyer.

    *events* counts them by type and by the id of what they are about,
    *notified* the notifications by order. *unsent* is how many events wait.
    """

    read_at: int
    places: Mapping[tuple[str, int], AnyRow]
    places_of: Mapping[int, Sequence[AnyRow]]
    passes: Mapping[tuple[str, int], AnyRow]
    holds: Mapping[int, AnyRow]
    holds_of: Mapping[int, Sequence[AnyRow]]
    seats: Mapping[int, frozenset[int]]
    orders: Mapping[int, AnyRow]
    charges: Mapping[int, Sequence[int]]
    balances: Mapping[int, int]
    events: Counter[tuple[str, int]]
    notified: Counter[int]
    outages: Sequence[AnyRow]
    unsent: int


def read(database: Path) -> Stored:
    """Read everything."""
    engine = create_engine(f"sqlite:///{database}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")  # the driver itself opens none to read, so this is one state of all tables

    try:
        with engine.begin() as connection:
            return stored_in(connection)
    finally:
        engine.dispose()


def stored_in(connection: Connection) -> Stored:
    """Read everything in the transaction that *connection* is in, which has to see one state of all tables."""
    places = _all(connection, tables.place)
    holds = _all(connection, tables.hold)
    seats: dict[int, set[int]] = defaultdict(set)
    for row in _all(connection, tables.hold_seat):
        seats[row.hold_id].add(row.seat_id)
    charges: dict[int, list[int]] = defaultdict(list)
    for row in _all(connection, tables.transfer):
        if row.kind == TransferKind.CHARGE.value:
            charges[row.buyer_id].append(row.amount_won)
    told = _all(connection, tables.outbox)
    return Stored(
        read_at=now_ms(),
        places={(row.room_id, row.number): row for row in places},
        places_of=_by_buyer(places),
        passes={(row.room_id, row.number): row for row in _all(connection, tables.admission_pass)},
        holds={row.id: row for row in holds},
        holds_of=_by_buyer(holds),
        seats={hold_id: frozenset(some) for hold_id, some in seats.items()},
        orders={row.hold_id: row for row in _all(connection, tables.purchase)},
        charges=charges,
        balances={row.buyer_id: row.balance_won for row in _all(connection, tables.wallet)},
        events=Counter((row.type, row.subject_id) for row in told),
        notified=Counter(row.order_id for row in _all(connection, tables.notification)),
        outages=_all(connection, tables.outage),
        unsent=sum(row.state == OutboxState.WAITING.value for row in told),
    )


def _all(connection: Connection, table: Table) -> Sequence[AnyRow]:
    return connection.execute(select(table)).all()


def _by_buyer(rows: Sequence[AnyRow]) -> Mapping[int, Sequence[AnyRow]]:
    found: dict[int, list[AnyRow]] = defaultdict(list)
    for row in rows:
        found[row.buyer_id].append(row)
    return found
