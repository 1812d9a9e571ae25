"""
Places in columns: 38 bytes a place, and a position by counting one block of 1,024.

A frozen dataclass a place would be ten times that. Row *i* is the place with
number `first + i`; the rows of one line are never reordered.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, compress
from typing import Final

from stagedoor.kernel.clock import FOREVER
from stagedoor.waiting_room.model import PlaceState

BLOCK_BITS = 10
BLOCK = 1 << BLOCK_BITS

FORGOTTEN: Final = 0
"""The state of a row whose place is not known (any more)."""

UNKNOWN_MS: Final = 0xFFFFFFFF
"""In `told_ms`: what she was told is lost."""

# As plain integers: to read a member of an enum costs more than to compare it, and every poll compares.
WAITING: Final = PlaceState.WAITING.value
ADMITTED: Final = PlaceState.ADMITTED.value
PASSED_OVER: Final = PlaceState.PASSED_OVER.value
REVOKED: Final = PlaceState.REVOKED.value

LIVE: Final = frozenset(state.value for state in PlaceState if state.is_live)

_IS_LIVE = bytes(value in LIVE for value in range(256))


class Columns:
    """
    One line's places.

    *states* holds `PlaceState` values (or `FORGOTTEN`), *counting* 1 where the
    place counts in the positions of those behind it. *seen_at* is the last sign
    of the buyer, of a place that is over the instant it ended, and `FOREVER` of a forgotten one. *told_ms* is
    the `pollAfterMs` last told to her, 0 before there was one. *wakes* is
    when the away wheel looks at the place again, in its granules.
    """

    __slots__ = (
        "_blocks",
        "_prefix",
        "buyers",
        "counting",
        "counting_total",
        "first",
        "seen_at",
        "states",
        "token_expires_at",
        "told_ms",
        "wakes",
    )

    def __init__(self, first: int = 1) -> None:
        """Hold no place yet; the next one has the number *first*."""
        self.first = first
        self.states = bytearray()
        self.counting = bytearray()
        self.buyers = array("q")
        self.token_expires_at = array("q")
        self.seen_at = array("q")
        self.told_ms = array("I")
        self.wakes = array("q")
        self.counting_total = 0
        self._blocks: list[int] = []
        self._prefix: list[int] | None = []

    def __len__(self) -> int:
        """Return how many rows there are, forgotten ones included."""
        return len(self.states)

    @property
    def last_number(self) -> int:
        """The number of the last row; `first - 1` where there is none."""
        return self.first + len(self.states) - 1

    def add(self, buyer_id: int, token_expires_at: int, seen_at: int) -> None:
        """Append a waiting place that counts."""
        row = len(self.states)
        self.states.append(WAITING)
        self.counting.append(1)
        self.buyers.append(buyer_id)
        self.token_expires_at.append(token_expires_at)
        self.seen_at.append(seen_at)
        self.told_ms.append(0)
        self.wakes.append(0)
        self.counting_total += 1
        if row & (BLOCK - 1) == 0:
            # Sums over the blocks before the last one do not change by what is added to the last one.
            self._blocks.append(1)
            self._prefix = None
        else:
            self._blocks[-1] += 1

    def add_stored(
        self,
        *,
        buyers: Sequence[int],
        states: Sequence[int],
        counting: Sequence[int],
        token_expires_at: Sequence[int],
        seen_at: Sequence[int],
    ) -> None:
        """
        Append many places at once, in any state; call `count_again` after the last of them.

        What their buyers were told is unknown.
        """
        self.buyers.extend(buyers)
        self.states += bytes(states)
        self.counting += bytes(counting)
        self.token_expires_at.extend(token_expires_at)
        self.seen_at.extend(seen_at)
        self.told_ms.extend(array("I", (UNKNOWN_MS,)) * len(buyers))
        self.wakes.frombytes(bytes(self.wakes.itemsize * len(buyers)))

    def add_gap(self, rows: int) -> None:
        """Append *rows* forgotten places."""
        nothing = bytes(rows)
        zeros, for_ever = array("q", nothing * 8), array("q", (FOREVER,)) * rows
        self.add_stored(buyers=zeros, states=nothing, counting=nothing, token_expires_at=for_ever, seen_at=for_ever)

    def add_lost(self, rows: int) -> None:
        """Append *rows* places that were lost: not known before their tokens are seen, but counting until then."""
        nothing, ones = bytes(rows), b"\1" * rows
        zeros, for_ever = array("q", nothing * 8), array("q", (FOREVER,)) * rows
        self.add_stored(buyers=zeros, states=nothing, counting=ones, token_expires_at=zeros, seen_at=for_ever)

    def is_lost(self, row: int) -> bool:
        """Whether the place at *row* was lost and is not known again yet: nobody knows when its token expires."""
        return not self.states[row] and not self.token_expires_at[row]

    def take_back(self, row: int, buyer_id: int, token_expires_at: int, seen_at: int) -> None:
        """Know a lost place again, waiting; whether it counts stays as it is."""
        assert self.is_lost(row)
        self.states[row] = WAITING
        self.buyers[row], self.token_expires_at[row], self.seen_at[row] = buyer_id, token_expires_at, seen_at
        self.told_ms[row] = 0

    def count_again(self) -> None:
        """Count every block: after rows were added that had a history."""
        self._blocks = [self.counting.count(1, start, start + BLOCK) for start in range(0, len(self.states), BLOCK)]
        self.counting_total = sum(self._blocks)
        self._prefix = None

    def stop_counting(self, row: int) -> None:
        """Leave the place at *row* out of every position behind it."""
        if self.counting[row]:
            self.counting[row] = 0
            self.counting_total -= 1
            self._blocks[row >> BLOCK_BITS] -= 1
            self._prefix = None

    def counting_before(self, row: int) -> int:
        """Return how many places before *row* count."""
        prefix = self._prefix
        if prefix is None:
            self._prefix = prefix = list(accumulate(self._blocks, initial=0))
        block = row >> BLOCK_BITS
        return prefix[block] + self.counting.count(1, block << BLOCK_BITS, row)

    def living(self) -> Iterator[tuple[int, int]]:
        """Yield buyer and number of every place that is not over."""
        numbers = range(self.first, self.first + len(self.states))
        return compress(zip(self.buyers, numbers, strict=True), self.states.translate(_IS_LIVE))

    def numbers_counting(self) -> Iterable[int]:
        """Yield the numbers of the places that count."""
        return compress(range(self.first, self.first + len(self.states)), self.counting)

    def wake_all(self, bucket: int) -> None:
        """Note for every place that the away wheel looks at it in *bucket*."""
        self.wakes = array("q", (bucket,)) * len(self.states)

    def drop_forgotten(self) -> int:
        """Give the memory of leading blocks back that hold nothing but forgotten places; return how many rows."""
        known = len(self.states) - len(self.states.lstrip(b"\0"))
        rows = known & ~(BLOCK - 1)
        if rows:
            for column in (
                self.states,
                self.counting,
                self.buyers,
                self.token_expires_at,
                self.seen_at,
                self.told_ms,
                self.wakes,
            ):
                del column[:rows]
            del self._blocks[: rows >> BLOCK_BITS]
            self._prefix = None
            self.first += rows
        return rows
