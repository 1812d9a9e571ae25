"""What each call says of itself beyond its signature: the rest of its entry in the API document."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Self

from litestar.enums import HttpMethod
from litestar.handlers import BaseRouteHandler

from stagedoor.http.problems import Refusal
from stagedoor.resilience.priority import Priority

OPT = "entry"


class Needs(Enum):
    """What a caller has to prove."""

    NOTHING = auto()
    IDENTITY = auto()
    QUEUE_TOKEN = auto()
    WHO_SHE_IS = auto()
    OPERATOR = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of the query, or of the path."""

    name: str
    kind: Any
    description: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One call's entry.

    *refusals* are those of its rules; those that every call of its kind has
    are added where the document is made. *path* says what its parameters are,
    where they are not just text. *repeatable*: it takes an idempotency key
    (*key_required*: it is refused without one). *priority*: how long it is served
    when not everybody can be. *listing*: it has an entity
    tag. *quiet*: so many come that their success is logged at debug level only; a
    line of log costs what ten polls do.
    """

    tag: str
    summary: str
    priority: Priority = Priority.OPERATOR
    needs: Needs = Needs.NOTHING
    refusals: tuple[Refusal, ...] = ()
    path: tuple[Field, ...] = ()
    query: tuple[Field, ...] = ()
    example: Any = None
    repeatable: bool = False
    key_required: bool = False
    listing: bool = False
    quiet: bool = False

    def __deepcopy__(self, _memo: object) -> Self:
        """Return itself: Litestar copies its handlers whole, and what never changes need not be copied."""
        return self

    @property
    def opt(self) -> dict[str, Any]:
        """How a handler carries it."""
        return {OPT: self}


def priority_of(handler: BaseRouteHandler | None) -> Priority:
    """Return how long a call is served when not everybody can be; what is not in the document can wait."""
    entry = None if handler is None else entry_of(handler)
    return Priority.JOIN if entry is None else entry.priority


def changes(handler: BaseRouteHandler | None, method: str) -> bool:
    """Say whether a call changes something: all but those that get something, and polls."""
    return method != HttpMethod.GET and priority_of(handler) is not Priority.POLL


def entry_of(handler: BaseRouteHandler) -> Entry | None:
    """Return the entry a handler carries, None for one that is not in the document."""
    entry: Entry | None = handler.opt.get(OPT)
    return entry
