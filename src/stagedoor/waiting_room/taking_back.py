"""What was lost with the line's store is known again by its tokens, each with its old number."""

from collections.abc import Sequence

from stagedoor.kernel.clock import Instant
from stagedoor.waiting_room.changes import Change, Ending, NewPlace
from stagedoor.waiting_room.columns import WAITING
from stagedoor.waiting_room.ending import state_after
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.model import EndCause


def plan_taking_back(state: LineState, places: Sequence[NewPlace], now: Instant) -> Change:
    """
    Return the change that takes back those of *places* that were lost, changing nothing.

    A buyer who asked anew in the meantime gets her old place for the new one,
    as long as she waits; who is inside under the new one keeps that.
    """
    columns = state.columns
    taken: dict[int, NewPlace] = {}
    ended: list[Ending] = []
    for place in places:
        row = place.number - columns.first
        if not 0 <= row < len(columns) or not columns.is_lost(row) or place.number in taken:
            continue
        living = state.living.get(place.buyer_id)
        if living is not None:
            if living < place.number or columns.states[living - columns.first] != WAITING:
                continue
            ended.append(Ending(living, state_after(EndCause.LEFT), EndCause.LEFT, had_pass=False))
        if any(other.buyer_id == place.buyer_id for other in taken.values()):
            continue
        taken[place.number] = place
    return Change(
        at=now,
        last_number=columns.last_number,
        serving_number=state.serving,
        ended=tuple(ended),
        taken_back=tuple(taken.values()),
    )
