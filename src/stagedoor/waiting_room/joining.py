"""Who asks for a place gets her living one, or the next number."""

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.changes import Change, NewPlace
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.policy import token_expires_at
from stagedoor.waiting_room.rejections import LineIsFull, RoomIsClosed
from stagedoor.waiting_room.room import Room, RoomState


class JoiningPlan:
    """Decides joins in order of arrival, changing nothing: two of one buyer in one batch get one place."""

    def __init__(self, state: LineState, room: Room, now: Instant) -> None:
        """Plan joins of *room* at *now*."""
        self._state = state
        self._policy = room.policy
        self._closed = room.state_at(now) is RoomState.CLOSED
        self._expires_at = token_expires_at(room, now)
        self._now = now
        self._next = state.columns.last_number + 1
        self._new: dict[BuyerId, NewPlace] = {}

    def join(self, buyer_id: BuyerId) -> int | Rejection:
        """Return the number of the buyer's living or new place, or `RoomIsClosed`, or `LineIsFull`."""
        living = self._state.living.get(buyer_id)
        if living is not None:
            return living
        if buyer_id in self._new:
            return self._new[buyer_id].number
        if self._closed:
            return RoomIsClosed()
        if len(self._state.living) + len(self._new) >= self._policy.line_max:
            return LineIsFull()
        number = self._next
        self._next += 1
        self._new[buyer_id] = NewPlace(number, buyer_id, self._expires_at)
        return number

    def change(self) -> Change:
        """Return what was decided."""
        return Change(
            at=self._now,
            last_number=self._next - 1,
            serving_number=self._state.serving,
            joined=tuple(self._new.values()),
        )
