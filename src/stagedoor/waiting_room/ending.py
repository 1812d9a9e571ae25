"""Places end for a reason, once."""

from stagedoor.kernel.clock import Instant
from stagedoor.waiting_room.changes import Change, Ending
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.model import EndCause, PlaceState

_STATE_AFTER = {EndCause.PAID: PlaceState.DONE, EndCause.REVOKED: PlaceState.REVOKED}


def state_after(cause: EndCause) -> PlaceState:
    """Return in which state a place is that ended because of *cause*."""
    return _STATE_AFTER.get(cause, PlaceState.EXPIRED)


class EndingPlan:
    """Decides endings in order, changing nothing: a place that is over, or is ending in this batch, stays as it is."""

    def __init__(self, state: LineState, now: Instant) -> None:
        """Plan endings at *now*."""
        self._state = state
        self._now = now
        self._ended: dict[int, Ending] = {}

    def end(self, number: int, cause: EndCause) -> bool | None:
        """
        End a place; return whether that ends a pass, None if the place is not known.

        A revoked place is known only to who revokes it once more.
        """
        row = self._state.row(number)
        if row is None:
            return None
        state = PlaceState(self._state.columns.states[row])
        if state is PlaceState.REVOKED and cause is not EndCause.REVOKED:
            return None
        if not state.is_live or number in self._ended:
            return False
        had_pass = state is PlaceState.ADMITTED
        self._ended[number] = Ending(number, state_after(cause), cause, had_pass)
        return had_pass

    def change(self) -> Change:
        """Return what was decided."""
        return Change(
            at=self._now,
            last_number=self._state.columns.last_number,
            serving_number=self._state.serving,
            ended=tuple(self._ended.values()),
        )
