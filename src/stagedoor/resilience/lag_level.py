"""
What is put off because the process itself is late: the least important first, and no more than it takes.

All calls of a process share one event loop, and what waits for its turn there
waits where nobody counts it. So the loop is asked how late it is: while it
lags, a level rises through the priorities, and below it everything is shed;
within the priority it stands in, the part that it has covered.
"""

from collections.abc import Mapping
from types import MappingProxyType

from stagedoor.resilience.priority import Priority

RISE = 0.25
FALL = 0.05
"""By how much of a priority the level moves with each look."""

TOP = float(Priority.PAY)
"""The level stops below payments: they are few, and what was reserved for them is lost otherwise."""

PART_MAX: Mapping[Priority, float] = MappingProxyType({Priority.POLL: 0.875})
"""
The largest part of a priority that is shed; all of it where nothing is said.

Of those who wait some are always heard, so that nobody who keeps asking is taken for absent.
"""


class LagLevel:
    """Knows whom to put off while the loop is later than *target_s*."""

    def __init__(self, *, target_s: float) -> None:
        """Put off nobody until told of a lag."""
        assert target_s > 0
        self._target_s = target_s
        self._lag_before_s = 0.0
        self._owed = [0.0] * len(Priority)
        self.level = 0.0

    def observe(self, lag_s: float) -> None:
        """Note how late the loop is now. One late look is a hiccup; the level rises with the second one."""
        standing_s = min(lag_s, self._lag_before_s)
        self._lag_before_s = lag_s
        if standing_s > self._target_s:
            self.level = min(TOP, self.level + RISE)
        else:
            self.level = max(0.0, self.level - FALL)

    def sheds(self, priority: Priority) -> bool:
        """Say whether this one call of *priority* is put off: evenly, so many of a hundred as the level asks for."""
        if not self.level:  # as nearly always: each call asks
            return False
        part = min(self.level - priority, PART_MAX.get(priority, 1.0))
        if part <= 0:
            return False
        self._owed[priority] += part
        if self._owed[priority] < 1:
            return False
        self._owed[priority] -= 1
        return True
