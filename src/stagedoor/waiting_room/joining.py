"""Who asks for a place gets her living one, or the next number."""

from typing import NamedTuple

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.changes import Change, NewPlace
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.policy import token_expires_at
from stagedoor.waiting_room.rejections import LineIsFull, RoomIsClosed
from stagedoor.waiting_room.room import Room, RoomState


class JoinTerms(NamedTuple):
    """On what terms a room takes new places at one instant: *expires_at* is until when their tokens are good."""

    closed: bool
    line_max: int
    expires_at: Instant


def join_terms(room: Room, now: Instant) -> JoinTerms:
    """Return the terms of *room* at *now*."""
    return JoinTerms(room.state_at(now) is RoomState.CLOSED, room.policy.line_max, token_expires_at(room, now))


class JoiningPlan:
    """Decides joins in order of arrival, changing nothing: two of one buyer in one batch get one place."""

    def __init__(self, state: LineState, terms: JoinTerms, now: Instant) -> None:
        """Plan joins on *terms* at *now*."""
        self._state = state
        self._terms = terms
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
        if self._terms.closed:
            return RoomIsClosed()
        if len(self._state.living) + len(self._new) >= self._terms.line_max:
            return LineIsFull()
        number = self._next
        self._next += 1
        self._new[buyer_id] = NewPlace(number, buyer_id, self._terms.expires_at)
        return number

    def change(self) -> Change:
        """Return what was decided."""
        return Change(
            at=self._now,
            last_number=self._next - 1,
            serving_number=self._state.serving,
            joined=tuple(self._new.values()),
        )
