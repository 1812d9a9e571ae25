"""A server to which a hold is open until something has marked it as expired, and nothing does."""

from stagedoor.checkout.use_cases import TidyHolds
from stagedoor.holds.model import Hold, HoldState
from stagedoor.kernel.clock import Instant
from tests.e2e.harness.removed_guard import ignore_counted_rows, replace, run


def open_until_marked(hold: Hold, _now: Instant) -> bool:
    """Look at the state alone."""
    return hold.state is HoldState.OPEN


async def mark_nothing(_tidy: TidyHolds, *, limit: int) -> int:
    """Leave all as it is."""
    return min(limit, 0)


replace(TidyHolds, "tidy", mark_nothing)
replace(Hold, "is_open_at", open_until_marked)
ignore_counted_rows()
run()
