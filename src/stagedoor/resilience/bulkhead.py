"""So many at once in one place, so many before it, and nobody beyond that: what hangs there floods nothing else."""

from typing import Generic, TypeVar

from stagedoor.kernel.errors import Overloaded

Visitor = TypeVar("Visitor")


class BulkheadFull(Overloaded):
    """As many as may are in, and as many as may wait."""


class Bulkhead(Generic[Visitor]):
    """
    Lets *at_once* visitors in; *waiting_max* more wait in the order in which they came.

    A visitor is anything hashable that is told apart from the others.
    """

    def __init__(self, name: str, *, at_once: int, waiting_max: int) -> None:
        """Let nobody in yet. *name* is what the metrics call it."""
        assert at_once > 0
        assert waiting_max >= 0
        self.name = name
        self.at_once = at_once
        self._waiting_max = waiting_max
        self._inside = 0
        # A dictionary for its order: whoever gives up may stand anywhere in it.
        self._waiting: dict[Visitor, None] = {}

    @property
    def inside(self) -> int:
        """How many are in."""
        return self._inside

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def enter(self, visitor: Visitor) -> bool:
        """Return True for who is in now, False for who waits. Raises `BulkheadFull`."""
        if self._inside < self.at_once:
            self._inside += 1
            return True
        if len(self._waiting) >= self._waiting_max:
            raise BulkheadFull(f"too many wait for {self.name}")
        self._waiting[visitor] = None
        return False

    def leave(self) -> Visitor | None:
        """Let one out; return who is in instead, None if nobody waits."""
        assert self._inside > 0
        if not self._waiting:
            self._inside -= 1
            return None
        first = next(iter(self._waiting))
        del self._waiting[first]
        return first

    def give_up(self, visitor: Visitor) -> None:
        """Let somebody go who waits; whoever does not is not missed."""
        self._waiting.pop(visitor, None)
