"""An outbox record: an event saved with its cause, to be sent later."""

from dataclasses import dataclass
from enum import IntEnum

from stagedoor.kernel.events import DomainEvent

ATTEMPTS_MAX = 10


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
    commit out of order); *subject_id* is the hold or order it is about;
    *attempts* counts how often sending it failed.
    """

    sequence: int
    subject_id: int
    event: DomainEvent
    attempts: int = 0
