"""A place in the waiting line: what it is, the states it passes through, and how it is named."""

from enum import IntEnum, unique
from typing import NamedTuple

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId, PlaceRef, RoomId


@unique
class PlaceState(IntEnum):
    """
    Where a place stands. The values are stored; never renumber them.

    WAITING -> ADMITTED -> DONE | EXPIRED is the way of most. PASSED_OVER is a
    place whose turn came while its buyer was away (or whose entry was not taken
    up): when she comes back she enters next, before the line. REVOKED was taken
    away by an operator.
    """

    WAITING = 1
    ADMITTED = 2
    PASSED_OVER = 3
    DONE = 4
    EXPIRED = 5
    REVOKED = 6

    @property
    def is_live(self) -> bool:
        """Whether the place can still lead, or has led, inside."""
        return self <= PlaceState.PASSED_OVER


@unique
class EndCause(IntEnum):
    """Why a pass or a place ended. The values are stored; never renumber them."""

    PAID = 1
    LEFT = 2
    IDLE = 3
    SESSION_OVER = 4
    ENTRY_NOT_TAKEN = 5
    ROOM_CLOSED = 6
    REVOKED = 7
    TOKEN_EXPIRED = 8


class SignedPlace(NamedTuple):
    """What a genuine token says: the place it names and whose it is. Valid before *expires_at*. A tuple, as its ref."""

    ref: PlaceRef
    buyer_id: BuyerId
    expires_at: Instant


class Standing(IntEnum):
    """What a place allows at this instant, as the sale sees it."""

    WAITING = 1
    ADMITTED = 2
    OVER = 3


class PlaceView(NamedTuple):
    """
    One place as its buyer may see it; a tuple, because one is made for every poll.

    *position* is 1 for the next one and 0 once admitted or over.
    *session_ends_at* and *idle_ends_at* are set while admitted: the pass ends
    at the first of the two, unless she holds seats, and with her last hold
    (*holds_until*) if she does. *estimated_wait_ms* is None where nobody can
    say; *poll_after_ms* is when to ask again.
    """

    ref: PlaceRef
    buyer_id: BuyerId
    state: PlaceState
    position: int
    token_expires_at: Instant
    poll_after_ms: int
    estimated_wait_ms: int | None = None
    admitted_at: Instant | None = None
    session_ends_at: Instant | None = None
    idle_ends_at: Instant | None = None
    holds_until: Instant | None = None

    @property
    def standing(self) -> Standing:
        """What the place allows its buyer."""
        if self.state is PlaceState.ADMITTED:
            return Standing.ADMITTED
        return Standing.WAITING if self.state.is_live else Standing.OVER


class LineView(NamedTuple):
    """
    One room's line as everybody may see it; a tuple like `PlaceView`.

    *admitted_per_second* is the recent rate of admission, None before there is
    one. *waiting* counts the places that still count.
    """

    room_id: RoomId
    serving_number: int
    last_number: int
    waiting: int
    active: int
    admitted_per_second: float | None
