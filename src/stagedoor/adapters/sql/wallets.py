"""Balances and transfers, read."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.tables import transfer, wallet
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId, TransferId
from stagedoor.kernel.money import Won
from stagedoor.wallet.model import Transfer, TransferKind
from stagedoor.wallet.ports import Wallets

_BALANCE = select(wallet.c.balance_won).where(wallet.c.buyer_id == bindparam("buyer_id"))

_LEDGER = (
    select(
        transfer.c.id,
        transfer.c.kind,
        transfer.c.debit,
        transfer.c.credit,
        transfer.c.amount_won,
        transfer.c.posted_at,
        transfer.c.cause_id,
    )
    .where(transfer.c.buyer_id == bindparam("buyer_id"))
    .order_by(transfer.c.posted_at.desc(), transfer.c.id.desc())
    .limit(bindparam("at_most"))
)


class SqlWallets(Wallets):
    """The wallets in a SQL database."""

    def __init__(self, lanes: Lanes) -> None:
        """Read through *lanes*."""
        self._lanes = lanes

    async def balance(self, buyer_id: BuyerId) -> Won | None:
        """Return the balance, None for somebody who is not a member."""

        def read(connection: Connection) -> Won | None:
            balance_won: int | None = connection.scalar(_BALANCE, {"buyer_id": buyer_id})
            return None if balance_won is None else Won(balance_won)

        return await self._lanes.reading(read)

    async def ledger(self, buyer_id: BuyerId, *, limit: int) -> Sequence[Transfer]:
        """Return the buyer's newest transfers, newest first; those of one instant in a stable order."""

        def read(connection: Connection) -> Sequence[Transfer]:
            return [
                Transfer(
                    id=TransferId(transfer_id),
                    buyer_id=buyer_id,
                    kind=TransferKind(kind),
                    debit=debit,
                    credit=credit,
                    amount_won=Won(amount_won),
                    posted_at=Instant(posted_at),
                    cause_id=cause_id,
                )
                for transfer_id, kind, debit, credit, amount_won, posted_at, cause_id in connection.execute(
                    _LEDGER, {"buyer_id": buyer_id, "at_most": limit}
                ).all()
            ]

        return await self._lanes.reading(read)
