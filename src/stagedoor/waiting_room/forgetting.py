"""Nobody asks for ever: places long over are forgotten, and the memory of the oldest is given back."""

from collections.abc import Collection
from typing import NamedTuple

from stagedoor.kernel.clock import Instant
from stagedoor.waiting_room.changes import Change
from stagedoor.waiting_room.columns import BLOCK
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.model import PlaceState

ROWS_LOOKED_AT_MAX = 64 * BLOCK
"""About a millisecond of looking, however long the line."""

_OVER = frozenset(state.value for state in PlaceState if not state.is_live)


class LongOver(NamedTuple):
    """Numbers of places long over, and the number to go on from next time."""

    numbers: tuple[int, ...]
    next_number: int


def find_long_over(state: LineState, *, from_number: int, ended_before: Instant, limit: int) -> LongOver:
    """
    Return at most *limit* places that ended before *ended_before*, from *from_number* on.

    Looks at a stretch of the line only; behind its end the next one begins at the front again.
    """
    columns = state.columns
    begin = max(0, from_number - columns.first)
    end = min(len(columns), begin + ROWS_LOOKED_AT_MAX)
    found: list[int] = []
    for start in range(begin, end, BLOCK):
        stop = min(start + BLOCK, end)
        ended_at = columns.seen_at[start:stop]
        # Of a place that lives it is the last sign of its buyer, of a forgotten one for ever: most blocks end here.
        if min(ended_at) >= ended_before:
            continue
        for row, at in enumerate(ended_at, start):
            if at < ended_before and columns.states[row] in _OVER:
                found.append(columns.first + row)
                if len(found) == limit:
                    return LongOver(tuple(found), found[-1] + 1)
    return LongOver(tuple(found), columns.first + end if end < len(columns) else 0)


def plan_forgetting(state: LineState, numbers: Collection[int], *, ended_before: Instant, now: Instant) -> Change:
    """Return the change that forgets *numbers*, all of which were over before *ended_before*, changing nothing."""
    return Change(
        at=now,
        last_number=state.columns.last_number,
        serving_number=state.serving,
        forgotten=tuple(numbers),
        forgotten_until=ended_before,
    )
