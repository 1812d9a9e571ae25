"""How holds say no."""

from stagedoor.kernel.errors import Rejection


class SoldOut(Rejection):
    """No seat of the performance is free, and none is held that could come back."""


class SeatsTaken(Rejection):
    """At least one of the seats is held or sold, or closed to this buyer for a minute."""


class TooManySeats(Rejection):
    """The buyer would hold and own more seats of the performance than one buyer may."""

    def __init__(self, seats_per_buyer: int) -> None:
        """Say how many one buyer may have."""
        super().__init__(seats_per_buyer)
        self.seats_per_buyer = seats_per_buyer


class UnknownHold(Rejection):
    """There is no such hold, or it is another buyer's: both are answered alike."""


class HoldIsOver(Rejection):
    """The hold was released, or its deadline has passed."""
