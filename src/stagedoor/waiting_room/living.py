"""
Which living place a buyer has: a hash table of numbers alone, 12 to 24 bytes a buyer where a dict takes 106.

The buyer of a number stands in the columns, so the table need not repeat her.
It is cut into 256 parts, each of which grows by itself: no join waits for a
million entries to be moved.
"""

from array import array
from collections.abc import Sequence

from stagedoor.waiting_room.columns import Columns

_PARTS = 256
_SLOTS_MIN = 8
_REMOVED = -1

# Fibonacci hashing (Knuth, TAOCP 3, 6.4): the high bits choose the part, those in the middle the slot.
_GOLDEN = 0x9E3779B97F4A7C15
_BITS = (1 << 64) - 1
_PART_SHIFT = 56
_SLOT_SHIFT = 24


class LivingPlaces:
    """Numbers by buyer; open addressing with linear probing, at most two thirds full."""

    def __init__(self, columns: Columns) -> None:
        """Know the places of *columns* that live."""
        self._columns = columns
        by_part: list[list[int]] = [[] for _ in range(_PARTS)]
        for buyer_id, number in columns.living():
            by_part[(buyer_id * _GOLDEN & _BITS) >> _PART_SHIFT].append(number)
        self._parts = [self._table(numbers) for numbers in by_part]
        # Slots that are not empty, those of removed numbers included.
        self._used = [len(numbers) for numbers in by_part]
        self._count = sum(self._used)

    def __len__(self) -> int:
        """Return how many places live."""
        return self._count

    @property
    def bytes_used(self) -> int:
        """The size of the tables."""
        return sum(8 * len(numbers) for numbers in self._parts)

    def get(self, buyer_id: int) -> int | None:
        """Return the number of the buyer's living place, None if she has none."""
        part, slot = self._find(buyer_id)
        return self._parts[part][slot] or None

    def add(self, buyer_id: int, number: int) -> None:
        """Note the living place of a buyer who has none. It is in the columns already."""
        part, slot = self._find(buyer_id)
        numbers = self._parts[part]
        assert not numbers[slot]
        numbers[slot] = number
        self._count += 1
        self._used[part] += 1
        if 3 * self._used[part] > 2 * len(numbers):
            self._move(part)

    def remove(self, buyer_id: int) -> None:
        """Forget the buyer's living place."""
        part, slot = self._find(buyer_id)
        assert self._parts[part][slot]
        self._parts[part][slot] = _REMOVED
        self._count -= 1

    def _find(self, buyer_id: int) -> tuple[int, int]:
        """Return the part and the slot that hold the buyer's number, or the empty slot where it would stand."""
        mixed = buyer_id * _GOLDEN & _BITS
        part = mixed >> _PART_SHIFT
        numbers = self._parts[part]
        mask = len(numbers) - 1
        slot = mixed >> _SLOT_SHIFT & mask
        first, buyers = self._columns.first, self._columns.buyers
        while number := numbers[slot]:
            if number != _REMOVED and buyers[number - first] == buyer_id:
                break
            slot = slot + 1 & mask
        return part, slot

    def _move(self, part: int) -> None:
        """Give the part a table that is at most half full, and leave what was removed behind."""
        numbers = [number for number in self._parts[part] if number > 0]
        self._parts[part] = self._table(numbers)
        self._used[part] = len(numbers)

    def _table(self, numbers: Sequence[int]) -> "array[int]":
        """Return a table of *numbers*, which are of one part, that is at most half full."""
        slots = _SLOTS_MIN
        while slots < 2 * len(numbers):
            slots *= 2
        table = array("q", bytes(8 * slots))
        first, buyers, mask = self._columns.first, self._columns.buyers, slots - 1
        for number in numbers:
            slot = (buyers[number - first] * _GOLDEN & _BITS) >> _SLOT_SHIFT & mask
            while table[slot]:
                slot = slot + 1 & mask
            table[slot] = number
        return table
