"""
Who has not been heard of is found by a timer wheel: each counting place sits in one bucket, by when to look again.

A sign of presence moves nothing: when a bucket's time has come, whoever was
heard of since is put into a later one. So a poll costs the wheel nothing, and
a place is looked at about once in `away_after`.
"""

from array import array
from collections.abc import Iterable
from heapq import heappop, heappush

from stagedoor.kernel.clock import Instant

GRANULE_MS = 250


def granule(at: int) -> int:
    """Return the bucket in whose time the instant *at* lies."""
    return at // GRANULE_MS


class AwayWheel:
    """Numbers in buckets of 250 ms. The caller remembers each number's bucket and ignores a number from another."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._buckets: dict[int, array[int]] = {}
        self._order: list[int] = []

    def put(self, number: int, bucket: int) -> None:
        """Have *number* looked at when the time of *bucket* has come."""
        numbers = self._buckets.get(bucket)
        if numbers is None:
            self._buckets[bucket] = array("q", (number,))
            heappush(self._order, bucket)
        else:
            numbers.append(number)

    def put_all(self, numbers: Iterable[int], bucket: int) -> None:
        """Have all *numbers* looked at when the time of *bucket*, which is empty, has come."""
        assert bucket not in self._buckets
        self._buckets[bucket] = array("q", numbers)
        heappush(self._order, bucket)

    def take_due(self, now: Instant, *, limit: int) -> list[tuple[int, "array[int]"]]:
        """Take out at most *limit* numbers whose time has come, with their buckets, earliest first."""
        taken: list[tuple[int, array[int]]] = []
        while self._order and self._order[0] <= granule(now) and limit > 0:
            bucket = self._order[0]
            numbers = self._buckets[bucket]
            if len(numbers) <= limit:
                heappop(self._order)
                del self._buckets[bucket]
            else:
                # From the end: what is taken off an array's front moves all the rest.
                self._buckets[bucket], numbers = numbers[:-limit], numbers[-limit:]
            limit -= len(numbers)
            taken.append((bucket, numbers))
        return taken
