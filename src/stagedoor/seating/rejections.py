"""How seating says no."""

from stagedoor.kernel.errors import Rejection


class UnknownPerformance(Rejection):
    """There is no such performance, or it is another room's, or it is over."""


class UnknownSeat(Rejection):
    """There is no such seat in that performance."""
