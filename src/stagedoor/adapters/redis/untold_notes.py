"""Notes of holds that wait for the line's store, each hold's last one."""

from collections.abc import Iterator, Sequence
from itertools import islice

Note = tuple[int, int, int | None]
"""(Number, hold, until when she holds it.)"""

NOTES_AT_ONCE = 1_000
NOTES_MAX = 50_000
"""So many notes of holds wait here for the store, at most: the sale has all of them, in its outbox."""

_NOTHING = object()


class UntoldNotes:
    """What the others have to be told of holds."""

    def __init__(self) -> None:
        """Have none."""
        self._notes: dict[tuple[int, int], int | None] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._notes)

    def keep(self, notes: Sequence[Note]) -> None:
        """Have *notes* told with the next flush, each hold's last one; of too many, the newest."""
        for number, hold_id, until in notes:
            # The newest stands last, also where it is about a hold that was noted before.
            self._notes.pop((number, hold_id), None)
            self._notes[number, hold_id] = until
        for hold in list(islice(self._notes, max(0, len(self._notes) - NOTES_MAX))):
            del self._notes[hold]

    def portions(self) -> Iterator[Sequence[Note]]:
        """Return those that wait now, some at a time; each portion, once it is asked for the next one, was told."""
        waiting = list(self._notes.items())
        for start in range(0, len(waiting), NOTES_AT_ONCE):
            some = waiting[start : start + NOTES_AT_ONCE]
            yield [(number, hold_id, until) for (number, hold_id), until in some]
            for hold, until in some:
                if self._notes.get(hold, _NOTHING) == until:
                    del self._notes[hold]
