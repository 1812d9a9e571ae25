"""How checkout says no."""

from stagedoor.kernel.errors import Rejection


class SaleIsStopped(Rejection):
    """An operator has stopped this part of the sale; nothing is decided by it about the seats or the hold."""


class AlreadyPaid(Rejection):
    """The hold was paid before; it is the buyer's for good."""
