"""An outbox record: an event saved with its cause, to be sent later."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from stagedoor.kernel.clock import MINUTE_MS, SECOND_MS
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import EventId

ATTEMPTS_MAX = 10
FIRST_RETRY_MS = SECOND_MS
RETRY_MS_MAX = MINUTE_MS


class Outlet(StrEnum):
    """The ways out of the outbox. Neither waits for the other."""

    LINE = "line"
    """The subscribers in the serving processes: the line above all."""

    BROKER = "broker"
    """Everybody else, by a broker."""


class OutboxState(IntEnum):
    """The values are stored; never renumber them."""

    WAITING = 1
    PUBLISHED = 2
    PARKED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRecord:
    """
    One stored event.

    *sequence* orders the records of one subject (ids of different subjects may
    commit out of order); *subject_id* is the hold, or the place, it is about;
    *attempts* counts how often sending it failed. *event* is None where what is
    stored cannot be read: a newer version may have written it.
    """

    sequence: int
    event_id: EventId
    subject_id: int
    event: DomainEvent | None
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedRecord:
    """A record that was set aside; *name* is its event's, *failure* why the last attempt failed."""

    event_id: EventId
    name: str
    subject_id: int
    attempts: int
    failure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """
    One message as a consumer is handed it.

    *origin* says where it was read. *event* is None where it cannot be read;
    then *defect* says why.
    """

    origin: str
    event: DomainEvent | None
    defect: str = ""


def retry_after_ms(attempts: int) -> int:
    """Return how long a record waits that has failed *attempts* times: a second, and twice as long each time."""
    assert attempts > 0
    return min(FIRST_RETRY_MS << (attempts - 1), RETRY_MS_MAX)
