"""A server with a bug of ours in it: reading a balance fails in a way that nobody foresaw."""

from stagedoor.adapters.sql.wallets import SqlWallets
from stagedoor.kernel.ids import BuyerId
from tests.e2e.harness.removed_guard import replace, run


async def fail(_wallets: SqlWallets, buyer_id: BuyerId) -> None:
    """Fail with a message that nobody outside may read."""
    raise ZeroDivisionError(f"SELECT the innermost secret of buyer {buyer_id}")


replace(SqlWallets, "balance", fail)
run()
