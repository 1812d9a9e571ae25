"""What all calls of a breaker came to since it was made, counted as Resilience4j's Micrometer binder counts them."""

from typing import Final

from stagedoor.resilience.breaker.windows import MonotonicNs

MINUTE_NS: Final = 60 * 10**9


class Tally:
    """
    Calls that ended in one way: how many, and how long they took in nanoseconds.

    The longest is that of this minute and the one before it, as Micrometer has
    it: one that is never forgotten would soon say nothing.
    """

    __slots__ = ("_longest_before_ns", "_longest_ns", "_now_ns", "_turns_at_ns", "count", "sum_ns")

    def __init__(self, now_ns: MonotonicNs) -> None:
        self._now_ns = now_ns
        self.count = 0
        self.sum_ns = 0
        self._turns_at_ns = 0
        self._longest_ns = 0
        self._longest_before_ns = 0

    def add(self, duration_ns: int) -> None:
        """Count a call that ends now."""
        self.count += 1
        self.sum_ns += duration_ns
        now_ns = self._now_ns()
        if now_ns >= self._turns_at_ns:
            self._turn(now_ns)
        if duration_ns > self._longest_ns:  # noqa: PLR1730 -- `max` takes three times as long
            self._longest_ns = duration_ns

    def longest_ns(self) -> int:
        """Return the longest call as of now."""
        now_ns = self._now_ns()
        if now_ns >= self._turns_at_ns:
            self._turn(now_ns)
        return max(self._longest_ns, self._longest_before_ns)

    def _turn(self, now_ns: int) -> None:
        minute_ends_ns = (now_ns // MINUTE_NS + 1) * MINUTE_NS
        self._longest_before_ns = self._longest_ns if minute_ends_ns == self._turns_at_ns + MINUTE_NS else 0
        self._longest_ns = 0
        self._turns_at_ns = minute_ends_ns


class Totals:
    """
    The calls of one breaker by how they ended, and how many were *refused*.

    As with Resilience4j's, those of a breaker that is disabled or forced open are in none of them.
    """

    __slots__ = ("failed", "ignored", "refused", "successful")

    def __init__(self, now_ns: MonotonicNs) -> None:
        self.successful = Tally(now_ns)
        self.failed = Tally(now_ns)
        self.ignored = Tally(now_ns)
        self.refused = 0
