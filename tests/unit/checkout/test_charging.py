"""Charging a wallet, by herself or by the shop."""

import pytest

from stagedoor.checkout.outcomes import Settled, WalletReceipt
from stagedoor.kernel.money import BALANCE_WON_MAX, CHARGE_WON_MAX
from stagedoor.waiting_room.rejections import UnknownBuyer
from stagedoor.wallet.model import FUNDING, TransferKind
from stagedoor.wallet.rejections import BalanceTooLarge
from tests.builders.sale import ANN, NOBODY, charge, kinds, receipt_of, untouched_rows
from tests.unit.checkout.till import Till


def test_funding_carries_the_counterpart() -> None:
    till = Till()

    receipt = receipt_of(till.one(charge(ANN, 50_000)))

    [posted] = till.last.transfers
    assert (posted.kind, posted.debit, posted.credit) == (TransferKind.CHARGE, FUNDING, "wallet:1")
    assert isinstance(receipt, WalletReceipt)
    assert receipt.balance_won == 350_000
    assert not till.last.credits


def test_what_the_shop_credits_is_on_record() -> None:
    till = Till()

    till.one(charge(ANN, 50_000, by_shop="key:till"))

    [credit] = till.last.credits
    assert (credit.by_shop, credit.transfer) == ("key:till", till.last.transfers[0])


def test_charges_of_one_batch_add_up() -> None:
    till = Till()

    outcomes = till.batch(charge(ANN, 1), charge(ANN, 2), charge(ANN, 3))

    assert kinds(outcomes) == ["Settled"] * 3
    assert till.rows.balances[ANN] == 300_006
    assert till.last.balances_before == {ANN: 300_000}


@pytest.mark.parametrize(("balance_won", "outcome"), [(0, Settled), (1, BalanceTooLarge)])
def test_a_wallet_keeps_so_much_and_no_more(balance_won: int, outcome: type) -> None:
    till = Till(untouched_rows(balance_won=BALANCE_WON_MAX - CHARGE_WON_MAX + balance_won))

    assert isinstance(till.one(charge(ANN, CHARGE_WON_MAX)), outcome)


def test_a_stranger_has_no_wallet() -> None:
    assert isinstance(Till().one(charge(NOBODY)), UnknownBuyer)


@pytest.mark.parametrize("amount_won", [0, -1, CHARGE_WON_MAX + 1])
def test_an_amount_that_the_edge_had_to_refuse_is_our_own_mistake(amount_won: int) -> None:
    with pytest.raises(AssertionError):
        Till().one(charge(ANN, amount_won))
