"""Buyers who were passed over and are back: they enter next, before the line, in order of number."""

from collections.abc import Iterator
from heapq import heappop, heappush


class Returners:
    """Numbers in order. Adding costs O(log n), reading the first k costs O(k log k) and changes nothing."""

    def __init__(self) -> None:
        """Hold nobody."""
        self._members: set[int] = set()
        # May also hold numbers that are no members any more, and members twice.
        self._heap: list[int] = []

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._members)

    def add(self, number: int) -> None:
        """Let *number* enter next. Adding twice is harmless."""
        if number not in self._members:
            self._members.add(number)
            heappush(self._heap, number)

    def discard(self, number: int) -> None:
        """Forget *number*, if it is there."""
        self._members.discard(number)
        while self._heap and self._heap[0] not in self._members:
            heappop(self._heap)

    def __iter__(self) -> Iterator[int]:
        """Yield the numbers in order."""
        heap = self._heap
        frontier = [(heap[0], 0)] if heap else []
        last = None
        while frontier:
            number, slot = heappop(frontier)
            for child in (2 * slot + 1, 2 * slot + 2):
                if child < len(heap):
                    heappush(frontier, (heap[child], child))
            if number != last and number in self._members:
                last = number
                yield number
