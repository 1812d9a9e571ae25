"""Nobody asks for ever: places long over are forgotten, and the memory of the oldest is given back."""

from stagedoor.kernel.clock import Instant
from stagedoor.waiting_room.changes import Change
from stagedoor.waiting_room.columns import BLOCK
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.model import PlaceState

_OVER = frozenset(state.value for state in PlaceState if not state.is_live)


def plan_forgetting(state: LineState, *, ended_before: Instant, now: Instant, limit: int) -> Change:
    """Return which places that ended before *ended_before* are forgotten, changing nothing: at most *limit*."""
    columns = state.columns
    found: list[int] = []
    for start in range(0, len(columns), BLOCK):
        ended_at = columns.seen_at[start : start + BLOCK]
        if min(ended_at) >= ended_before:
            continue
        found += [
            columns.first + row
            for row, at in enumerate(ended_at, start)
            if at < ended_before and columns.states[row] in _OVER
        ]
        if len(found) >= limit:
            break
    return Change(
        at=now,
        last_number=columns.last_number,
        serving_number=state.serving,
        forgotten=tuple(found[:limit]),
    )
