"""Asking again what may be asked twice: rarely, not in step with others, and never more than a part of all calls."""

from collections.abc import Callable


class RetryBudget:
    """
    One retry for every *calls_per_retry* calls, saved up to *saved_max*.

    While a dependency is out, retries are as many calls more than it could do;
    with a budget they are a tenth more at most, whatever becomes of each.
    """

    def __init__(self, *, calls_per_retry: int = 10, saved_max: int = 10) -> None:
        """Begin with everything saved."""
        assert calls_per_retry > 0
        assert saved_max > 0
        self._calls_per_retry = calls_per_retry
        self._saved_max = saved_max * calls_per_retry
        self._saved = self._saved_max

    def call(self) -> None:
        """Count a first attempt."""
        self._saved = min(self._saved_max, self._saved + 1)

    def may_retry(self) -> bool:
        """Take one retry out of the budget, if there is one in it."""
        if self._saved < self._calls_per_retry:
            return False
        self._saved -= self._calls_per_retry
        return True


def pause_s(retry: int, *, base_s: float, random: Callable[[], float]) -> float:
    """
    Return how long to wait before the *retry*-th retry: anything up to *base_s*, then to twice as long each time.

    Two who were in each other's way part by that. *random* gives a number from
    0 to 1. After AWS, "Exponential Backoff And Jitter": full jitter.
    """
    assert retry >= 1
    return random() * base_s * 2.0 ** (retry - 1)
