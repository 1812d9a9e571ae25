"""A domain event is a fact in the past tense that leaves through the outbox."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import EventId


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainEvent(ABC):
    """
    What every event has: an id that consumers deduplicate by, and when it happened.

    *name* is what it is called wherever it is stored or sent, whatever becomes
    of the class. *is_public* is whether other systems are told of it; what is
    not is for the subscribers in this house alone.
    """

    name: ClassVar[str]
    is_public: ClassVar[bool] = True

    event_id: EventId
    occurred_at: Instant

    @property
    @abstractmethod
    def subject_id(self) -> int:
        """What it is about: events of one subject leave in order."""
