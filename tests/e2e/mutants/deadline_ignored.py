"""A server to which a hold is open until something has marked it as expired."""

from stagedoor.holds.model import Hold, HoldState
from stagedoor.kernel.clock import Instant
from tests.e2e.harness.removed_guard import ignore_counted_rows, replace, run


def open_until_marked(hold: Hold, _now: Instant) -> bool:
    """Look at the state alone."""
    return hold.state is HoldState.OPEN


replace(Hold, "is_open_at", open_until_marked)
ignore_counted_rows()
run()
