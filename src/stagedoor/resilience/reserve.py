"""A store that is nearly full takes nothing new, while there is room left to finish what was begun."""

from dataclasses import dataclass

from stagedoor.kernel.errors import TurnedAway

RECOVERY = 1.25
"""Enough is left again when it is this many times what has to be left: a figure that wavers must not flap."""

RETRY_AFTER_MS = 10_000


class NearlyFull(TurnedAway):
    """There is too little room left to begin anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What is left of a store, and its size, in bytes."""

    free: int
    total: int


class Reserve:
    """
    Knows whether the reserve is touched: *percent* of the store, or *bytes_max* if that is less.

    Either being 0 asks for no reserve; without *bytes_max* the percentage alone counts.
    """

    def __init__(self, *, percent: float, bytes_max: int | None) -> None:
        """Believe that enough is left until told otherwise."""
        self._percent = percent
        self._bytes_max = bytes_max
        self.is_touched = False

    def needed(self, total: int) -> float:
        """Return how much of a store of *total* bytes has to be left."""
        share = total * self._percent / 100
        return share if self._bytes_max is None else min(share, self._bytes_max)

    def observe(self, space: Space) -> bool:
        """Take note of what is left; return whether that changes anything. Exactly the reserve is enough."""
        needed = self.needed(space.total)
        is_touched = space.free < (needed * RECOVERY if self.is_touched else needed)
        changed = is_touched is not self.is_touched
        self.is_touched = is_touched
        return changed

    def fill(self) -> bool:
        """Take note that a write found no room, whatever was seen of it; return whether that changes anything."""
        changed = not self.is_touched
        self.is_touched = True
        return changed

    def spare(self) -> None:
        """Return if something may be begun. Raises `NearlyFull`."""
        if self.is_touched:
            raise NearlyFull("the store's reserve is touched", retry_after_ms=RETRY_AFTER_MS)
