"""A transfer moves something, from one account to another."""

import pytest

from stagedoor.kernel.ids import TransferId
from stagedoor.kernel.money import Won
from stagedoor.wallet.model import BOX_OFFICE, FUNDING, Transfer, TransferKind, wallet_account
from tests.builders.sale import ANN, NOON


def a_transfer(*, debit: str = FUNDING, amount_won: int = 1) -> Transfer:
    return Transfer(
        id=TransferId(1),
        buyer_id=ANN,
        kind=TransferKind.CHARGE,
        debit=debit,
        credit=wallet_account(ANN),
        amount_won=Won(amount_won),
        posted_at=NOON,
    )


@pytest.mark.parametrize("amount_won", [0, -1])
def test_it_moves_something(amount_won: int) -> None:
    with pytest.raises(AssertionError):
        a_transfer(amount_won=amount_won)


def test_it_goes_somewhere() -> None:
    with pytest.raises(AssertionError):
        a_transfer(debit="wallet:1")


def test_every_account_has_its_own_name() -> None:
    assert len({wallet_account(ANN), FUNDING, BOX_OFFICE}) == 3
