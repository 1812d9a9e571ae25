"""What a sale asks of a server in a rush finds its rows by an index, however much lies in its tables."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, event, insert, text

from stagedoor.adapters.sql import driver, tables
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.members import SqlMembers
from stagedoor.adapters.sql.outbox import SqlOutbox
from stagedoor.adapters.sql.server_lanes import COMMAND, ServerLanes
from stagedoor.checkout.outcomes import Settled
from stagedoor.holds.model import HoldState
from stagedoor.kernel.clock import FOREVER, HOUR_MS, MINUTE_MS, ManualClock, later
from stagedoor.kernel.ids import BuyerId, EventId
from stagedoor.kernel.lease import Fence
from stagedoor.outbox.model import OutboxState, Outlet
from stagedoor.seating.model import ClaimState
from tests.builders.sale import ANN, NOON, PLAY, a_key, charge, pay, release, reserve
from tests.builders.store import House

OLD = 5_000
"""So many rows of earlier sales lie in every table that grows."""

FIRST = 100_000
READ_WHOLE = frozenset({"performance", "room"})
"""As many rows as an operator has typed; whoever reads them wants all."""

Statement = tuple[str, Any]
Scans = Sequence[str]


def old_rows() -> Iterator[tuple[Table, Callable[[int], Mapping[str, object]]]]:
    """Name what each table that grows has of earlier sales, all of it over."""
    past = later(NOON, -HOUR_MS)
    show = FIRST
    yield tables.seat, lambda n: {
        "id": n, "performance_id": show + n % 10, "position": n, "section": "A", "row_name": "1",
        "seat_number": n, "zone": "A", "price_won": 1,
    }  # fmt: skip
    yield tables.member, lambda n: {"id": n, "created_at": past}
    yield tables.wallet, lambda n: {"buyer_id": n, "balance_won": 1}
    yield tables.transfer, lambda n: {
        "id": n, "buyer_id": n, "kind": 1, "debit": "a", "credit": "b", "amount_won": 1, "posted_at": past,
    }  # fmt: skip
    yield tables.hold, lambda n: {
        "id": n, "buyer_id": n, "room_id": "main", "place_number": n, "performance_id": show + n % 10,
        "state": HoldState.PAID.value, "placed_at": past, "expires_at": past, "ended_at": past, "extended_ms": 0,
    }  # fmt: skip
    yield tables.hold_seat, lambda n: {"hold_id": n, "seat_id": n, "price_won": 1}
    yield tables.seat_claim, lambda n: {
        "seat_id": n, "performance_id": show + n % 10, "hold_id": n, "state": ClaimState.SOLD.value,
        "held_until": FOREVER,
    }  # fmt: skip
    yield tables.purchase, lambda n: {
        "id": n, "hold_id": n, "buyer_id": n, "performance_id": show + n % 10, "amount_won": 1, "paid_at": past,
    }  # fmt: skip
    yield tables.sold_seat, lambda n: {"seat_id": n, "purchase_id": n}
    yield tables.closed_place, lambda n: {"room_id": "main", "place_number": n, "closed_at": past}
    yield tables.idempotency_key, lambda n: {
        "buyer_id": n, "call": "pay", "value": "k", "fingerprint": "f", "receipt": "{}", "stored_at": past,
    }  # fmt: skip
    yield tables.outbox, lambda n: {
        "event_id": f"old{n}", "subject_id": n, "type": "OrderPaid", "payload": "{}", "occurred_at": past,
        "state": OutboxState.PUBLISHED.value, "attempts": 0, "next_attempt_at": past, "published_at": past,
    }  # fmt: skip
    yield tables.broker_outbox, lambda n: {
        "event_id": f"old{n}", "subject_id": n, "state": OutboxState.PARKED.value, "attempts": 9,
        "next_attempt_at": past,
    }  # fmt: skip


def fill(connection: Connection) -> None:
    """Write the rows of earlier sales, and have the server look at them."""
    shows = [
        {
            "id": FIRST + n, "room_id": "main", "title": "t", "venue": "v", "starts_at": NOON - HOUR_MS,
            "ends_at": NOON - MINUTE_MS, "time_zone": "Asia/Seoul",
        }
        for n in range(10)
    ]  # fmt: skip
    connection.execute(insert(tables.performance), shows)
    for table, row in old_rows():
        connection.execute(insert(table), [row(n) for n in range(FIRST, FIRST + OLD)])
    analyze = "ANALYZE" if connection.dialect.name == "postgresql" else "ANALYZE TABLE"
    for name in names(connection):
        connection.execute(text(f"{analyze} {name}"))


def names(connection: Connection) -> Sequence[str]:
    """Return the tables, by the names that this server wants them called."""
    quote = connection.dialect.identifier_preparer.format_table
    return [quote(table) for table, _ in old_rows()]


@contextmanager
def heard() -> Iterator[list[Statement]]:
    """Gather what is asked of any server meanwhile, by SQLAlchemy or straight by the driver, each statement once."""
    said: dict[str, Any] = {}

    def hear(_connection: object, _cursor: object, statement: str, given: Any, *_: object) -> None:  # noqa: ANN401
        many = isinstance(given, list) and given and isinstance(given[0], tuple | list | dict)
        said.setdefault(statement, given[0] if many else given)

    def heard_by(name: str, *, many: bool) -> Callable[..., Any]:
        asked = getattr(driver, name)

        def ask(connection: Connection, statement: str, given: Sequence[Any]) -> object:
            said.setdefault(statement, given[0] if many else given)
            return asked(connection, statement, given)

        return ask

    statements: list[Statement] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fetch", "fetch_many", "write", "write_many"):
            patch.setattr(driver, name, heard_by(name, many=name.endswith("_many")))
        event.listen(Engine, "before_cursor_execute", hear)
        try:
            yield statements
        finally:
            event.remove(Engine, "before_cursor_execute", hear)
            statements += said.items()


def scans_in(connection: Connection, statements: Sequence[Statement]) -> Scans:
    """Return what of *statements* reads a whole table, or the whole of an index, by the server's own plan."""
    is_postgresql = connection.dialect.name == "postgresql"
    if is_postgresql:
        # Where it could be avoided at any price, a small table would be read whole all the same.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
    found = []
    for statement, given in statements:
        if not explainable(statement):
            continue
        explain = "EXPLAIN (FORMAT JSON) " if is_postgresql else "EXPLAIN FORMAT=JSON "
        [(told,)] = driver.fetch(connection, explain + statement, given)
        plan = json.loads(told) if isinstance(told, str) else told
        scanned = set(_postgresql(plan[0]["Plan"]) if is_postgresql else _mariadb(plan)) - READ_WHOLE
        found += [f"{table}: {statement}" for table in sorted(scanned)]
    return found


async def scans(lanes: Lanes, statements: Sequence[Statement]) -> Scans:
    """Return `scans_in` the database: where rows could be locked, as the statements want, though nothing is written."""
    async with lanes.writing() as transaction:
        return await transaction.run(lambda connection: scans_in(connection, statements))


def explainable(statement: str) -> bool:
    """Whether it looks for rows."""
    words = statement.split(None, 1)[0].upper()
    return words in {"SELECT", "UPDATE", "DELETE", "WITH"} or (words == "INSERT" and "SELECT" in statement.upper())


def _postgresql(node: Mapping[str, Any], *, limited: bool = False) -> Iterator[str]:
    kind, table = node["Node Type"], node.get("Relation Name")
    whole = kind == "Seq Scan" or (kind in {"Index Scan", "Index Only Scan"} and "Index Cond" not in node)
    # An index in the order that is asked for, of which the first few are taken, is not read to its end.
    if whole and table is not None and not (limited and kind != "Seq Scan"):
        yield table
    for below in node.get("Plans", ()):
        yield from _postgresql(below, limited=limited or kind == "Limit")


def _mariadb(plan: object) -> Iterator[str]:
    if isinstance(plan, list):
        for part in plan:
            yield from _mariadb(part)
    if isinstance(plan, dict):
        table = plan.get("table_name", "<")
        if plan.get("access_type") in {"ALL", "index"} and not table.startswith("<"):
            yield table
        for part in plan.values():
            yield from _mariadb(part)


@pytest.fixture
async def filled(lanes: Lanes, database: str, clock: ManualClock) -> House:
    """The sale, after many others."""
    patient = ServerLanes(database, COMMAND)
    async with patient.writing() as transaction:
        await transaction.run(fill)
        await transaction.commit(proof=lambda _: False)
    await patient.close()
    return House(lanes, clock, for_broker=True)


async def in_a_rush(house: House, outlets: Sequence[SqlOutbox]) -> None:
    """Do what buyers and the house do all evening."""
    held = await house.batch(
        *(reserve(buyer, 2 * buyer, 2 * buyer + 1, key=a_key(f"hold {buyer}")) for buyer in range(1, 7))
    )
    assert all(isinstance(outcome, Settled) for outcome in held)
    assert isinstance(await house.one(reserve(7, 20)), Settled)
    paid = await house.batch(*(pay(buyer, key=a_key("pay")) for buyer in range(1, 4)))
    assert all(isinstance(outcome, Settled) for outcome in paid)
    assert isinstance(await house.one(release(4)), Settled)
    assert isinstance(await house.one(charge(5, 1_000)), Settled)

    members = SqlMembers(house.lanes, is_away=lambda: False)
    known = await members.known([ANN, *(BuyerId(nth * 1_000) for nth in range(1, 200))])
    assert known[0]
    now = house.clock.now()
    await house.seating.claims(PLAY, at=now)
    await house.seating.seats(PLAY)
    await house.seating.availability(at=now)
    for outbox in outlets:
        waiting = await outbox.waiting(limit=100, at=now)
        assert waiting
        await outbox.failed([waiting[0].event_id], at=now, cause="a bug", fence=Fence(0))
        await outbox.published([record.event_id for record in waiting[1:]], at=now, fence=Fence(0))
        await outbox.waiting(limit=100, at=now)


async def test_nothing_that_is_asked_in_a_rush_reads_a_whole_table(
    lanes: Lanes, filled: House, clock: ManualClock
) -> None:
    with heard() as statements:
        await in_a_rush(filled, [SqlOutbox(lanes, outlet, lease=None) for outlet in Outlet])
        clock.advance(HOUR_MS)
        assert await filled.tidy() == 3

    asked = " ".join(statement for statement, _ in statements)
    assert [table.name for table, _ in old_rows() if table.name not in asked] == []
    assert await scans(lanes, statements) == []


async def test_nothing_that_is_asked_of_the_outbox_to_forget_reads_a_whole_table(lanes: Lanes, filled: House) -> None:
    broker = SqlOutbox(lanes, Outlet.BROKER, lease=None)
    last = [EventId(f"old{n}") for n in range(FIRST + OLD - 300, FIRST + OLD)]
    await broker.send_again(last, at=NOON)
    await broker.published(last, at=NOON, fence=Fence(0))

    with heard() as statements:
        # All but the last have to be passed over.
        forgotten = [await filled.old_events.forget(published_before=NOON, limit=500) for _ in range(3)]

    assert sum(forgotten) == len(last)
    assert await scans(lanes, statements) == []


@pytest.mark.usefixtures("filled")
async def test_control_a_search_without_an_index_is_found_out(lanes: Lanes) -> None:
    with heard() as statements:
        await lanes.reading(
            lambda connection: connection.execute(
                tables.seat_claim.select().where(tables.seat_claim.c.hold_id == FIRST)
            ).all()
        )

    [found] = await scans(lanes, statements)

    assert found.startswith("seat_claim: ")
