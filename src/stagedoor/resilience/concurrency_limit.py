"""
How many calls may be under way at once: as many as are answered in time, found out by looking.

A burst that drains is no overload, so what counts is a queue that stands: in
a whole window most answers took longer than they may (after CoDel, RFC 8289,
which goes by the fastest; but who is refused for a reason of her own is
answered at once, whatever stands). Then the limit is cut towards the number that would be answered
in time at the rate at which answers come (Little's law), not below a safe part of it, and raised step by
step beyond that while it suffices. Who is refused is a matter of priority: each has a
share of the limit.
"""

from collections.abc import Mapping
from math import inf
from types import MappingProxyType

from stagedoor.resilience.priority import Priority

WINDOW_S = 0.25
"""How long it is looked on before anything is decided."""

TOO_LONG = 2.0
"""What would take so many times longer than it may is too much, even if it has not stood yet."""

SAMPLES_MIN = 8
"""So many answers, or calls without one, say something about all of them; one slow call does not."""

SAFE = 0.5
"""
The part of what is answered in time, at the rate at which answers come, that the limit is not cut below.

What is under way when it is cut has yet to drain, and window after window says that there is too much. With less than
this batches become small, and the rate itself sinks. It is raised up to there without waiting.
"""

CUT_MIN = 0.95
CUT_MAX = 0.1
GROWTH = 1.03
RELAXED = 2.0
"""By what the limit is multiplied in one window: at least and at most when cut, when raised, when nobody needs it."""

_WINDOWS_MAX = 32

SHARES: Mapping[Priority, float] = MappingProxyType(
    {
        Priority.JOIN: 0.40,
        Priority.POLL: 0.50,
        Priority.WALLET: 0.60,
        Priority.READ: 0.70,
        Priority.OPERATOR: 0.80,
        Priority.RESERVE: 0.85,
        Priority.RELEASE: 1.00,
    }
)
"""
Up to which part of the limit calls of each priority are let in.

Payments are let in beyond it, up to the most there may ever be: what they
finish was let in before, and is lost without them.
"""


class ConcurrencyLimit:
    """
    The limit of one process; instants are seconds of any clock that never goes back.

    It begins at *most*, is never less than *least*, and aims at answers within *target_s*.
    """

    def __init__(self, *, target_s: float, least: int, most: int) -> None:
        """Let everybody in until there is a reason not to."""
        assert target_s > 0
        assert 0 < least <= most
        self._target_s = target_s
        self._least = least
        self._most = most
        self._limit = float(most)
        self._allowed = self._spread()
        self._under_way = 0
        self._under_way_most = 0
        self._under_way_of = [0] * len(Priority)
        self._moved_at = [0.0] * len(Priority)
        self._open_window(-inf)

    @property
    def limit(self) -> float:
        """How many may be under way at once; payments may be more."""
        return self._limit

    @property
    def under_way(self) -> int:
        """How many are."""
        return self._under_way

    def has_room(self, priority: Priority, now: float) -> bool:
        """Say whether one more call of *priority* may begin at *now*; if not, note that one could not."""
        if now >= self._window_ends:
            self._decide(now)
        if self._under_way < self._allowed[priority]:
            return True
        self._has_refused = True
        return False

    def begin(self, priority: Priority, now: float) -> None:
        """Count a call that was let in."""
        if not self._under_way_of[priority]:
            self._moved_at[priority] = now
        self._under_way_of[priority] += 1
        self._under_way += 1
        if self._under_way > self._under_way_most:  # noqa: PLR1730 -- `max` takes three times as long
            self._under_way_most = self._under_way

    def end(self, priority: Priority, began: float, now: float) -> None:
        """Count the end of a call let in at *began*, however it ended."""
        assert self._under_way_of[priority] > 0
        self._under_way_of[priority] -= 1
        self._under_way -= 1
        self._answered[priority] += 1
        self._moved_at[priority] = now
        took_s = now - began
        if took_s > self._target_s:
            self._slow[priority] += 1
            self._slow_s[priority] += took_s
        if now >= self._window_ends:
            self._decide(now)

    def _decide(self, now: float) -> None:
        """Close the window and open the next."""
        standing_s = max(self._standing_s(priority, now) for priority in Priority)
        takes_s = max(standing_s, self._takes_s(now))
        safe = SAFE * self._answered_in_time(now)
        if standing_s > self._target_s or takes_s > TOO_LONG * self._target_s:
            if not self._has_refused:
                # What is under way is less than the limit, and is too much already.
                self._limit = min(self._limit, self._under_way)
            cut = self._limit * min(CUT_MIN, max(CUT_MAX, self._target_s / takes_s))
            self._limit = max(cut, min(self._limit, safe))
        elif self._has_refused:
            self._limit = max(self._limit * GROWTH + 1, min(self._limit * RELAXED, safe))
        elif 2 * self._under_way_most < self._limit:
            # It keeps nobody out, so it need not be as it is; what comes next may be a burst.
            quiet_windows = 1 + (now - self._window_ends) / WINDOW_S
            self._limit *= RELAXED ** min(quiet_windows, _WINDOWS_MAX)
        self._limit = min(max(self._limit, self._least), self._most)
        self._allowed = self._spread()
        self._open_window(now)

    def _open_window(self, now: float) -> None:
        self._window_ends = now + WINDOW_S
        self._answered = [0] * len(Priority)
        self._slow = [0] * len(Priority)
        self._slow_s = [0.0] * len(Priority)
        self._under_way_most = self._under_way
        self._has_refused = False

    def _standing_s(self, priority: Priority, now: float) -> float:
        """Return for how long most calls of *priority* wait; 0 where they do not, or the window does not tell."""
        slow = self._slow[priority]
        if self._answered[priority] >= SAMPLES_MIN and 2 * slow > self._answered[priority]:
            return self._slow_s[priority] / slow
        waits_for_all = not self._answered[priority] and self._under_way_of[priority] >= SAMPLES_MIN
        if waits_for_all and self._under_way > self._least:
            return now - self._moved_at[priority]
        return 0.0

    def _takes_s(self, now: float) -> float:
        """Return how long what is under way will take at the window's rate of answers."""
        answered = sum(self._answered)
        if answered < SAMPLES_MIN or self._under_way <= self._least:
            return 0.0
        return self._under_way * self._lasted_s(now) / answered

    def _answered_in_time(self, now: float) -> float:
        """Return how many are answered within what they may take, at the window's rate of answers."""
        answered = sum(self._answered)
        return answered * self._target_s / self._lasted_s(now) if answered >= SAMPLES_MIN else 0.0

    def _lasted_s(self, now: float) -> float:
        """Return how long the window has been."""
        return now - self._window_ends + WINDOW_S

    def _spread(self) -> list[float]:
        """Return up to how many under way each priority is let in."""
        shares = [self._limit * SHARES.get(priority, inf) for priority in Priority]
        shares[Priority.PAY] = self._most
        return shares
