"""Everything that has to be true of the stored data, asked in plain SQL, apart from the code that wrote it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, text

from stagedoor.adapters.sql.encoding import decode_event
from stagedoor.adapters.sql.forgotten import Forgotten, forgotten_until
from stagedoor.adapters.sql.invariants_of_line import check_line
from stagedoor.adapters.sql.invariants_of_sale import SALE_CHECKS, SqlCheck
from stagedoor.checkout.events import OrderPaid
from stagedoor.holds.model import HoldState
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId, HoldId
from stagedoor.observability.invariants import Finding, finding
from stagedoor.outbox.model import OutboxState
from stagedoor.seating.model import ClaimState
from stagedoor.waiting_room.model import PlaceState
from stagedoor.wallet.model import FUNDING, TransferKind, wallet_account


def check_all(connection: Connection, *, now: Instant, seats_per_buyer: int) -> Sequence[Finding]:
    """Look at everything, in one transaction; *seats_per_buyer* is the limit in force."""
    values: Mapping[str, int] = {
        "now": now,
        "seats_per_buyer": seats_per_buyer,
        "open": HoldState.OPEN.value,
        "paid": HoldState.PAID.value,
        "held": ClaimState.HELD.value,
        "sold": ClaimState.SOLD.value,
        "payment": TransferKind.PAYMENT.value,
        "published": OutboxState.PUBLISHED.value,
        "last_living": max(state.value for state in PlaceState if state.is_live),
    }
    return [
        *(_run(connection, check, values) for check in SALE_CHECKS),
        *_check_money(connection),
        *_check_events(connection),
        *check_line(connection, values, now=now),
    ]


def _run(connection: Connection, check: SqlCheck, values: Mapping[str, int]) -> Finding:
    checked: int | None = connection.scalar(text(check.count), values)
    rows = connection.execute(text(check.violations), values).mappings()
    return finding(
        check.name,
        check.sentence,
        checked=checked or 0,
        violations=[", ".join(f"{name} {value}" for name, value in row.items()) for row in rows],
    )


def _check_money(connection: Connection) -> Iterator[Finding]:
    """Add up every transfer, account by account, and compare."""
    accounts: Counter[str] = Counter()
    for debit, credit, amount_won in connection.execute(
        text("SELECT debit, credit, SUM(amount_won) FROM transfer GROUP BY debit, credit")
    ):
        accounts[debit] -= int(amount_won)
        accounts[credit] += int(amount_won)
    wallets = {
        wallet_account(BuyerId(buyer_id)): balance_won
        for buyer_id, balance_won in connection.execute(text("SELECT buyer_id, balance_won FROM wallet"))
    }
    yield finding(
        "wallet-is-its-transfers",
        "Each wallet holds exactly what its transfers add up to.",
        checked=len(wallets),
        violations=[
            f"{account}: {wallets.get(account)} won kept, {accounts[account]} won by transfers"
            for account in sorted(wallets.keys() | {name for name in accounts if name.startswith("wallet:")})
            if wallets.get(account) != accounts[account]
        ],
    )
    yield finding(
        "nothing-below-zero",
        "No account but funding is below zero.",
        checked=len(accounts),
        violations=[
            f"{account}: {balance_won} won"
            for account, balance_won in [*sorted(accounts.items()), *sorted(wallets.items())]
            if balance_won < 0 and account != FUNDING
        ],
    )
    others = {account: balance_won for account, balance_won in accounts.items() if account not in wallets}
    total_won = sum(wallets.values()) + sum(others.values())
    yield finding(
        "ledger-sums-to-zero",
        "The sum over all accounts is zero.",
        checked=len(wallets) + len(others),
        violations=[f"{total_won} won too much"] if total_won else [],
    )


def _check_events(connection: Connection) -> Iterator[Finding]:
    """Every order's event is there and says the same, and what it ends has ended."""
    stored = connection.scalars(text("SELECT payload FROM outbox WHERE type = 'OrderPaid'"))
    paid = [event for payload in stored if isinstance(event := decode_event("OrderPaid", payload), OrderPaid)]
    events = {event.hold_id: event for event in paid}
    yield _check_orders(connection, events)
    closed = {
        (room_id, number)
        for room_id, number in connection.execute(text("SELECT room_id, place_number FROM closed_place"))
    }
    ending = [event for event in paid if event.place_over]
    yield finding(
        "order-ends-its-place",
        "An order that uses up a place has closed it in the sale.",
        checked=len(ending),
        violations=[
            f"order {event.order_id}: number {event.place_number} of {event.room_id}"
            for event in ending
            if (event.room_id, event.place_number) not in closed
        ],
    )


def _check_orders(connection: Connection, events: Mapping[HoldId, OrderPaid]) -> Finding:
    """
    Compare orders with what was told of them.

    An event is forgotten some days after it was published; what came of it, the
    notification, is kept as long as the order.
    """
    forgotten_before = forgotten_until(connection, Forgotten.EVENTS)
    notified = {
        (order_id, buyer_id)
        for order_id, buyer_id in connection.execute(text("SELECT order_id, buyer_id FROM notification"))
    }

    def is_told(order_id: int, hold_id: int, buyer_id: int, amount_won: int, paid_at: int) -> bool:
        told = events.get(HoldId(hold_id))
        if told is None:
            return paid_at < forgotten_before and (order_id, buyer_id) in notified
        return (told.order_id, told.buyer_id, told.amount_won) == (order_id, buyer_id, amount_won)

    orders = connection.execute(text("SELECT id, hold_id, buyer_id, amount_won, paid_at FROM purchase")).all()
    return finding(
        "order-has-its-event",
        "Every paid order has its OrderPaid event, with the same buyer and amount, or the notification it led to.",
        checked=len(orders),
        violations=[f"order {order[0]}" for order in orders if not is_told(*order)],
    )
