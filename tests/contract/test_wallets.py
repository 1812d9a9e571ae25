"""Wallets: balances, and the transfers behind them."""

from stagedoor.kernel.clock import ManualClock
from stagedoor.wallet.model import BOX_OFFICE, FUNDING, TransferKind
from tests.builders.sale import ANN, BALANCE, BOB, NOBODY, charge, pay, reserve
from tests.builders.store import House


async def test_a_balance_follows_what_is_charged_and_paid(house: House) -> None:
    await house.batch(charge(ANN, 20_000), reserve(ANN, 1), pay(ANN))

    assert await house.wallets.balance(ANN) == BALANCE - 30_000
    assert await house.wallets.balance(BOB) == BALANCE


async def test_a_stranger_has_no_wallet(house: House) -> None:
    assert await house.wallets.balance(NOBODY) is None
    assert await house.wallets.ledger(NOBODY, limit=10) == []


async def test_the_ledger_has_the_newest_first(house: House, clock: ManualClock) -> None:
    clock.advance(1)
    await house.one(charge(ANN, 20_000))
    clock.advance(1)
    await house.batch(reserve(ANN, 1), pay(ANN, order_id=55), charge(BOB))

    ledger = await house.wallets.ledger(ANN, limit=10)

    assert [(posted.kind, posted.debit, posted.credit, posted.amount_won) for posted in ledger] == [
        (TransferKind.PAYMENT, "wallet:1", BOX_OFFICE, 50_000),
        (TransferKind.CHARGE, FUNDING, "wallet:1", 20_000),
        (TransferKind.CHARGE, FUNDING, "wallet:1", BALANCE),
    ]
    assert [posted.cause_id for posted in ledger] == [55, None, None]
    assert await house.wallets.ledger(ANN, limit=1) == ledger[:1]
