"""Events become rows in the transaction of what they tell."""

from collections.abc import Sequence

from sqlalchemy import Connection

from stagedoor.adapters.sql.bulk import Bulk
from stagedoor.adapters.sql.encoding import encode_event
from stagedoor.adapters.sql.tables import broker_outbox, outbox
from stagedoor.kernel.events import DomainEvent
from stagedoor.outbox.model import OutboxState

_STORE = Bulk.insert(
    outbox,
    "event_id",
    "subject_id",
    "type",
    "payload",
    "occurred_at",
    "state",
    "attempts",
    "next_attempt_at",
)
_STORE_FOR_BROKER = Bulk.insert(broker_outbox, "event_id", "subject_id", "state", "attempts", "next_attempt_at")
_WAITING = OutboxState.WAITING.value


def store_events(connection: Connection, events: Sequence[DomainEvent], *, for_broker: bool) -> None:
    """
    Write *events*, in their order, to be sent once the transaction has been committed.

    With *for_broker* those that are public wait for the broker as well.
    """
    rows = []
    for_others = []
    for event in events:
        name, payload = encode_event(event)
        occurred_at, subject_id = event.occurred_at, event.subject_id
        rows.append((event.event_id, subject_id, name, payload, occurred_at, _WAITING, 0, occurred_at))
        if for_broker and event.is_public:
            for_others.append((event.event_id, subject_id, _WAITING, 0, occurred_at))
    _STORE(connection, rows)
    _STORE_FOR_BROKER(connection, for_others)
