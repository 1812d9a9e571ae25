"""A server to which no seat is ever claimed."""

from stagedoor.checkout.deciding.desk import Desk
from stagedoor.kernel.ids import SeatId
from tests.e2e.harness.removed_guard import ignore_counted_rows, replace, run


def never(_desk: Desk, _seat_id: SeatId) -> bool:
    """Say that the seat is free."""
    return False


replace(Desk, "is_claimed", never)
ignore_counted_rows()
run()
