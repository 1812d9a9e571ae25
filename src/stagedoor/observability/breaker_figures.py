"""What the breakers' calls came to, counted as Resilience4j's Micrometer binder counts them."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from stagedoor.resilience.breaker import BreakerEvent, CallFailed, CallIgnored, CallRefused, CallSucceeded

MINUTE_NS = 60 * 10**9


@dataclass(slots=True)
class CallTally:
    """
    Calls of one breaker that ended in one way: how many, and how long they took in nanoseconds.

    The longest is that of this minute and the one before it, as Micrometer has
    it: one that is never forgotten would soon say nothing.
    """

    count: int = 0
    sum_ns: int = 0
    _minute: int = -1
    _longest_ns: int = 0
    _longest_before_ns: int = 0

    def add(self, duration_ns: int, minute: int) -> None:
        """Count a call that ended in *minute*."""
        self.count += 1
        self.sum_ns += duration_ns
        if minute != self._minute:
            self._turn(minute)
        if duration_ns > self._longest_ns:  # noqa: PLR1730 -- `max` takes three times as long
            self._longest_ns = duration_ns

    def longest_ns(self, minute: int) -> int:
        """Return the longest call as of *minute*."""
        self._turn(minute)
        return max(self._longest_ns, self._longest_before_ns)

    def _turn(self, minute: int) -> None:
        if minute != self._minute:
            self._longest_before_ns = self._longest_ns if minute == self._minute + 1 else 0
            self._longest_ns = 0
            self._minute = minute


class CallCounts:
    """
    A listener to breakers that counts the calls of each.

    *calls* are by the breaker's name and `successful`, `failed` or `ignored`;
    *refused* by its name. Like Resilience4j's, a breaker that is disabled or
    forced open tells of no calls.
    """

    def __init__(self, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._now_ns = now_ns
        self.calls: defaultdict[tuple[str, str], CallTally] = defaultdict(CallTally)
        self.refused: defaultdict[str, int] = defaultdict(int)

    @property
    def minute(self) -> int:
        """The present minute, by a clock that only differences of mean something."""
        return self._now_ns() // MINUTE_NS

    def __call__(self, event: BreakerEvent) -> None:
        """Count *event* if it is the end of a call, or its refusal."""
        # Nearly all do what they should, so that is looked at first; what it costs, every call pays for.
        if isinstance(event, CallSucceeded):
            self._end(event.breaker, "successful", event.duration_ns)
        elif isinstance(event, CallFailed):
            self._end(event.breaker, "failed", event.duration_ns)
        elif isinstance(event, CallIgnored):
            self._end(event.breaker, "ignored", event.duration_ns)
        elif isinstance(event, CallRefused):
            self.refused[event.breaker] += 1

    def _end(self, breaker: str, how: str, duration_ns: int) -> None:
        self.calls[breaker, how].add(duration_ns, self._now_ns() // MINUTE_NS)
