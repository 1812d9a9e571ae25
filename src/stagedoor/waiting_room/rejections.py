"""How the waiting room says no."""

from stagedoor.kernel.errors import Rejection


class UnknownBuyer(Rejection):
    """There is no member with that id."""


class UnknownRoom(Rejection):
    """There is no room of that name; a room is never made by asking."""


class RoomIsClosed(Rejection):
    """The room takes no more places."""


class UnknownPlace(Rejection):
    """The token is genuine, but its place is not (or no longer) known, or was revoked."""


class StillWaiting(Rejection):
    """The buyer has a place, but is not admitted yet."""


class PlaceIsOver(Rejection):
    """The place was left, used up or timed out: take a new one."""


class ForeignIdentity(Rejection):
    """The request speaks for somebody else than its proof of identity."""


class LineIsFull(Rejection):
    """The room has as many living places as `line_max` allows; answered as 503."""
