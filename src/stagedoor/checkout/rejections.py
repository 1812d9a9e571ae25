"""How checkout says no."""

from stagedoor.kernel.errors import Rejection


class AlreadyPaid(Rejection):
    """The hold was paid before; it is the buyer's for good."""
