"""What a cell is held to: what no machine excuses, and what takes a quiet machine."""

from collections.abc import Iterator, Sequence

from tests.outage_cluster.house import DEADLINE_S
from tests.outage_cluster.play import Played

GRACE_S, LATE_S_MAX = 0.05, 0.5
WAIT_S = 1.5
TRIALS_S = DEADLINE_S
"""A trial call may take as long as anybody waits for it."""

IN_TIME_MIN = 0.999


def late(one: Played, *, by_s: float) -> Sequence[float]:
    """Return how long those answers took that came more than *by_s* after their deadline."""
    return [seconds for seconds in one.took if seconds > DEADLINE_S + by_s]


def broken(one: Played) -> Iterator[str]:
    """Say what is wrong whatever the speed of the machine."""
    for what in (*one.wrong, *one.unkept):
        yield " ".join(what.split())[-300:]
    if one.reached_while_open:
        yield f"reached while open: {dict(one.reached_while_open)}"
    if one.tried_beyond:
        yield f"tried while half open, beyond what is permitted: {dict(one.tried_beyond)}"


def too_slow(one: Played) -> Iterator[str]:
    """Say what took longer than it may."""
    if too_late := late(one, by_s=LATE_S_MAX):
        yield f"answered after {max(too_late):.2f} s (the loop was {one.lag_s:.2f} s late at most)"
    if one.recovered_s > WAIT_S + TRIALS_S:
        yield f"recovered in {one.recovered_s:.1f} s (the loop was {one.lag_s:.2f} s late at most)"
