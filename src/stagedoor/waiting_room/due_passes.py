"""
Which passes are over is found by a heap of instants to look again: a turn costs what ends, not who is inside.

A sign of presence moves nothing: when its instant has come, a pass that goes on
is looked at again when it may end next. Only what could end a pass earlier has
to be told, and is acted on in the next turn.
"""

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush

from stagedoor.kernel.clock import FOREVER, Instant
from stagedoor.waiting_room.admission_pass import AdmissionPass
from stagedoor.waiting_room.columns import Columns
from stagedoor.waiting_room.room import RoomPolicy


class DuePasses:
    """Finds, among *passes* (by number, whose places are in *columns*), those that are over."""

    def __init__(self, passes: Mapping[int, AdmissionPass], columns: Columns) -> None:
        """Know of none; whoever is in *passes* must be put."""
        self._passes = passes
        self._columns = columns
        self._looks: list[tuple[Instant, int]] = []
        # A pass is looked at when its own instant has come; what the heap says besides is out of date.
        self._look_at: dict[int, Instant] = {}
        self._changed: set[int] = set()
        self._found: dict[int, None] = {}
        self._idle_timeout_ms = 0

    def __iter__(self) -> Iterator[int]:
        """Yield the numbers whose passes were found over by the last `find`, the longest due first."""
        return iter(self._found)

    def put(self, number: int, at: Instant) -> None:
        """Look at a new pass when *at* has come: the earliest instant at which it may end."""
        self._look_at[number] = at
        heappush(self._looks, (at, number))

    def changed(self, number: int) -> None:
        """Note that the pass may end earlier now."""
        self._changed.add(number)

    def drop(self, number: int) -> None:
        """Forget a pass that has ended."""
        self._look_at.pop(number, None)
        self._changed.discard(number)
        self._found.pop(number, None)

    def find(self, policy: RoomPolicy, now: Instant) -> None:
        """Find what is over at *now*. What was found before and is not over after all is no longer found."""
        if policy.idle_timeout_ms < self._idle_timeout_ms:
            self._changed.update(self._look_at)
        self._idle_timeout_ms = policy.idle_timeout_ms
        for number in (*self._found, *self._changed):
            ends_at = self._ends_at(number, policy)
            if number in self._found:
                del self._found[number]
                self.put(number, ends_at)
            elif ends_at < self._look_at[number]:
                self.put(number, ends_at)
        self._changed.clear()
        while self._looks and self._looks[0][0] <= now:
            at, number = heappop(self._looks)
            if self._look_at.get(number) != at:
                continue
            ends_at = self._ends_at(number, policy)
            if ends_at <= now:
                self._found[number] = None
                # Out of the heap and not to be looked for there, but wherever it is found.
                self._look_at[number] = FOREVER
            else:
                self.put(number, ends_at)

    def _ends_at(self, number: int, policy: RoomPolicy) -> Instant:
        seen_at = self._columns.seen_at[number - self._columns.first]
        return self._passes[number].ends_at(seen_at=seen_at, policy=policy)
