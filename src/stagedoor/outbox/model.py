"""An outbox record: an event saved with its cause, to be sent later."""

from dataclasses import dataclass
from enum import IntEnum

from stagedoor.kernel.clock import MINUTE_MS, SECOND_MS
from stagedoor.kernel.events import DomainEvent

ATTEMPTS_MAX = 10
FIRST_RETRY_MS = SECOND_MS
RETRY_MS_MAX = MINUTE_MS


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
    *attempts* counts how often sending it failed.
    """

    sequence: int
    subject_id: int
    event: DomainEvent
    attempts: int = 0


def retry_after_ms(attempts: int) -> int:
    """Return how long a record waits that has failed *attempts* times: a second, and twice as long each time."""
    assert attempts > 0
    return min(FIRST_RETRY_MS << (attempts - 1), RETRY_MS_MAX)
