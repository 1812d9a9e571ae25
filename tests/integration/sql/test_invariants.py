"""`stagedoor check` finds what it is there for: each invariant is broken here by hand, and named."""

from collections.abc import Sequence
from functools import partial

import pytest
from sqlalchemy import Connection, text

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.kernel.clock import ManualClock
from tests.builders.sale import ANN, BOB, leave, pay, release, reserve
from tests.builders.store import House

ADMISSION = (
    "INSERT INTO admission_pass (room_id, number, returner, admitted_at, max_active, rate, session_ends_at, ended_at) "
    "VALUES ('main', {}, 0, {}, {}, {}, 9, {})"
)
PLACE = (
    "INSERT INTO place (room_id, number, buyer_id, living_buyer_id, state, counts, joined_at, token_expires_at) "
    "VALUES ('main', {}, 1, {}, {}, 1, 1, 9)"
)

OVERDRAWN = (
    "INSERT INTO transfer (id, buyer_id, kind, debit, credit, amount_won, posted_at) "
    "VALUES (999, 9, 3, 'box-office', 'wallet:9', 10000000, 1)"
)

# The evening: Ann has bought seat 1, Bob holds seat 2, 3 holds nothing any more, 4 has left.
BROKEN: dict[str, tuple[str, ...]] = {
    "seat-sold-once": (
        "UPDATE hold SET state = 2 WHERE id = 1002",
        "UPDATE hold_seat SET seat_id = 1 WHERE hold_id = 1002",
    ),
    "sold-seats-agree": ("DELETE FROM sold_seat",),
    "claim-has-its-hold": ("UPDATE hold SET expires_at = expires_at + 1 WHERE id = 1002",),
    "hold-has-its-claims": ("DELETE FROM seat_claim WHERE seat_id = 2",),
    "hold-in-one-performance": ("UPDATE hold SET room_id = 'vip' WHERE id = 1002",),
    "paid-hold-is-one-order": ("UPDATE purchase SET amount_won = amount_won + 1",),
    "paid-in-time": ("UPDATE hold SET expires_at = (SELECT paid_at FROM purchase) WHERE id = 1001",),
    "order-is-paid-for": ("UPDATE purchase SET buyer_id = 2",),
    "seats-per-buyer": ("INSERT INTO hold_seat SELECT 1002, id, 1 FROM seat WHERE id BETWEEN 10 AND 13",),
    "closed-place-holds-nothing": ("INSERT INTO closed_place VALUES ('main', 2, 1)",),
    "wallet-is-its-transfers": ("UPDATE wallet SET balance_won = balance_won + 1 WHERE buyer_id = 9",),
    "ledger-sums-to-zero": ("UPDATE wallet SET balance_won = balance_won - 1 WHERE buyer_id = 9",),
    "nothing-below-zero": (OVERDRAWN,),
    "order-has-its-event": ("DELETE FROM outbox WHERE type = 'OrderPaid'",),
    "order-ends-its-place": ("DELETE FROM closed_place WHERE place_number = 1",),
    "one-living-place": (PLACE.format(1, 1, 1), PLACE.format(2, "NULL", 1)),
    "line-was-told": (PLACE.format(4, 1, 2), "UPDATE outbox SET state = 2"),
    "passes-overlap": (ADMISSION.format(1, 1, 1, "NULL", "NULL"), ADMISSION.format(2, 2, 1, "NULL", "NULL")),
    "admission-order": (ADMISSION.format(2, 1, 9, "NULL", "NULL"), ADMISSION.format(1, 2, 9, "NULL", "NULL")),
    "nobody-skipped": (PLACE.format(1, 1, 1), ADMISSION.format(2, 1, 9, "NULL", "NULL")),
    "admission-rate": (ADMISSION.format(1, 1, 9, 0.5, "NULL"), ADMISSION.format(2, 1, 9, 0.5, "NULL")),
}


REFUND = (
    "INSERT INTO refunded_seat SELECT seat_id, purchase_id, 5 FROM sold_seat",
    "DELETE FROM sold_seat",
    "DELETE FROM seat_claim WHERE seat_id = 1",
    "UPDATE purchase SET refunded_at = 5",
)


def run(statements: Sequence[str], connection: Connection) -> None:
    for statement in statements:
        connection.execute(text(statement))


@pytest.fixture
async def evening(house: House) -> House:
    await house.batch(reserve(ANN, 1), pay(ANN), reserve(BOB, 2), reserve(3, 3), release(3), reserve(4, 4), leave(4))
    return house


async def test_on_a_sound_evening_each_holds_and_has_looked_at_something(evening: House, clock: ManualClock) -> None:
    findings = {found.name: found for found in await evening.findings()}

    assert {name for name, found in findings.items() if not found.holds} == set()
    assert findings.keys() == BROKEN.keys()
    of_the_sale = [
        name for name in findings if not name.startswith(("pass", "admission", "nobody", "one-living", "line"))
    ]
    assert {name for name in of_the_sale if findings[name].checked == 0} == set()

    clock.advance(10**9)
    await evening.check()


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_one_is_found(evening: House, sold_from: SqliteFile, name: str) -> None:
    async with sold_from.writing() as transaction:
        await transaction.run(partial(run, BROKEN[name]))
        await transaction.commit(proof=lambda _: False)

    [found] = [found for found in await evening.findings() if found.name == name]

    assert not found.holds
    assert 1 <= len(found.violations) <= found.violation_count


async def test_a_seat_sold_again_after_a_refund_is_sold_once(evening: House, sold_from: SqliteFile) -> None:
    """Refunds are to come; the checks know already that a refunded order owns nothing."""
    async with sold_from.writing() as transaction:
        await transaction.run(partial(run, REFUND))
        await transaction.commit(proof=lambda _: False)

    await evening.batch(reserve(9, 1), pay(9))

    await evening.check()
