"""How the edge itself says no, before or beside any use case."""

from dataclasses import dataclass

from stagedoor.kernel.errors import Rejection
from stagedoor.waiting_room.rejections import StillWaiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """
    What is wrong with one field of a request.

    *field* is its name as sent (`body` for the whole), *problem* a word of a
    closed set, *expected* what would have been right, where that is short.
    """

    field: str
    problem: str
    expected: str | None = None


class Unreadable(Rejection):
    """The request cannot be read, or a field is missing, of the wrong type or out of range."""

    def __init__(self, field: str, problem: str, *, expected: str | None = None) -> None:
        """Name the field and what is wrong with it."""
        super().__init__(field, problem)
        self.flaw = Flaw(field=field, problem=problem, expected=expected)


class BodyTooLarge(Rejection):
    """The body is larger than any call needs."""


class NotJson(Rejection):
    """The body is of a media type, character set or content coding that is not read here."""


class NoSuchPath(Rejection):
    """There is nothing at that path."""


class MethodNotAllowed(Rejection):
    """The path exists, but does not know the method."""

    def __init__(self, allowed: str) -> None:
        """Say which methods the path knows, as the `Allow` header lists them."""
        super().__init__(allowed)
        self.allowed = allowed


class ReservedTooEarly(StillWaiting):
    """Seats were asked for by somebody who is still waiting."""


class StillRunning(Rejection):
    """An earlier call with the same idempotency key has not ended within this call's deadline."""


class ViewNotAllowed(Rejection):
    """What operators see needs an operator's key here."""


class ClientGone(Exception):  # noqa: N818 -- it is nobody's error: there is just nobody left to answer
    """The client hung up before its request was complete."""
