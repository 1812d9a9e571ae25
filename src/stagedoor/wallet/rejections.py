"""How the wallet says no."""

from stagedoor.kernel.errors import Rejection


class BalanceTooSmall(Rejection):
    """The wallet does not hold the price; the seats stay held."""


class BalanceTooLarge(Rejection):
    """The charge would lift the balance over what a wallet may keep."""


class ChargeNotAllowed(Rejection):
    """Only the shop may credit a wallet here."""
