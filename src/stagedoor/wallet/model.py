"""Ledger accounts and the immutable transfers between them."""

from dataclasses import dataclass
from enum import IntEnum

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId, TransferId
from stagedoor.kernel.money import Won

FUNDING = "funding"
"""Carries the counterpart of every charge; the one account that may be below zero."""

BOX_OFFICE = "box-office"
"""Where the price of sold seats goes. It has no balance row to fight over: it is the sum of its transfers."""


def wallet_account(buyer_id: BuyerId) -> str:
    """Return the ledger account of the buyer's wallet."""
    return f"wallet:{buyer_id}"


class TransferKind(IntEnum):
    """Why money moved. The values are stored; never renumber them."""

    CHARGE = 1
    PAYMENT = 2
    REFUND = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """
    Money moved from the account *debit* to the account *credit*; never changed.

    *cause_id* names what caused it: the order for a payment, None for a charge.
    """

    id: TransferId
    buyer_id: BuyerId
    kind: TransferKind
    debit: str
    credit: str
    amount_won: Won
    posted_at: Instant
    cause_id: int | None = None

    def __post_init__(self) -> None:
        """Refuse a transfer that moves nothing, or to where it came from."""
        assert self.amount_won > 0
        assert self.debit != self.credit
