"""A domain event is a fact in the past tense that leaves through the outbox."""

from dataclasses import dataclass

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import EventId


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainEvent:
    """What every event has: an id that consumers deduplicate by, and when it happened."""

    event_id: EventId
    occurred_at: Instant
