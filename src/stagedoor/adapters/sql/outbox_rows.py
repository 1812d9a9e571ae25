"""Events become rows in the transaction of what they tell."""

from collections.abc import Sequence

from sqlalchemy import Connection

from stagedoor.adapters.sql.bulk import Bulk
from stagedoor.adapters.sql.encoding import encode_event
from stagedoor.adapters.sql.tables import outbox
from stagedoor.checkout.events import OrderPaid, PlaceClosed
from stagedoor.holds.events import HoldEvent
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
_WAITING = OutboxState.WAITING.value


def store_events(connection: Connection, events: Sequence[DomainEvent]) -> None:
    """Write *events*, in their order, to be sent once the transaction has been committed."""
    rows = []
    for event in events:
        name, payload = encode_event(event)
        occurred_at = event.occurred_at
        rows.append((event.event_id, _subject_id(event), name, payload, occurred_at, _WAITING, 0, occurred_at))
    _STORE(connection, rows)


def _subject_id(event: DomainEvent) -> int:
    # The order of a hold's events matters up to its order, so a payment is told of under the hold it paid.
    match event:
        case HoldEvent() | OrderPaid():
            return event.hold_id
        case PlaceClosed():
            return event.place_number
        case _:
            raise AssertionError(f"nobody has said what {type(event).__name__} is about")
