"""Charging a wallet: money from `funding`, by the buyer herself or by the shop."""

from stagedoor.checkout.commands import ChargeWallet
from stagedoor.checkout.deciding.desk import Desk
from stagedoor.checkout.outcomes import Outcome, WalletReceipt
from stagedoor.checkout.rows import ShopCredit
from stagedoor.kernel.money import BALANCE_WON_MAX, CHARGE_WON_MAX, Won
from stagedoor.waiting_room.rejections import UnknownBuyer
from stagedoor.wallet.model import FUNDING, Transfer, TransferKind, wallet_account
from stagedoor.wallet.rejections import BalanceTooLarge


def charge_wallet(desk: Desk, command: ChargeWallet) -> Outcome:
    """Credit the wallet, unless it would then keep more than a wallet may."""
    assert 0 < command.amount_won <= CHARGE_WON_MAX
    if not desk.is_member(command.buyer_id):
        return UnknownBuyer()
    if (known := desk.known_answer(command)) is not None:
        return known
    charged_won = Won(desk.balance(command.buyer_id) + command.amount_won)
    if charged_won > BALANCE_WON_MAX:
        return BalanceTooLarge()
    desk.set_balance(command.buyer_id, charged_won)
    transfer = Transfer(
        id=command.transfer_id,
        buyer_id=command.buyer_id,
        kind=TransferKind.CHARGE,
        debit=FUNDING,
        credit=wallet_account(command.buyer_id),
        amount_won=command.amount_won,
        posted_at=desk.now,
    )
    desk.writes.transfers.append(transfer)
    if command.by_shop is not None:
        desk.writes.credits.append(ShopCredit(transfer=transfer, by_shop=command.by_shop))
    receipt = WalletReceipt(transfer_id=command.transfer_id, balance_won=charged_won, posted_at=desk.now)
    return desk.settle(command, receipt)
