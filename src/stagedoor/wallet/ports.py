"""What can be read of wallets."""

from collections.abc import Sequence
from typing import Protocol

from stagedoor.kernel.ids import BuyerId
from stagedoor.kernel.money import Won
from stagedoor.wallet.model import Transfer


class Wallets(Protocol):
    """Balances and the transfers behind them: never an old copy. Every method raises `Fault` where it cannot read."""

    async def balance(self, buyer_id: BuyerId) -> Won | None:
        """Return the balance, None for somebody who is not a member."""
        ...

    async def ledger(self, buyer_id: BuyerId, *, limit: int) -> Sequence[Transfer]:
        """Return the buyer's newest transfers, newest first."""
        ...
