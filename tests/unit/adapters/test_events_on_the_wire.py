"""Events as others read them: what is sent is what the schema says, and comes back as what it was."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from stagedoor.adapters.kafka.access import Topic
from stagedoor.adapters.kafka.wire import FORMS, HOLDS, ORDERS, Unreadable, message, read
from stagedoor.holds.events import HoldExpired, HoldExtended
from stagedoor.kernel.clock import MINUTE_MS, Instant, later
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import MAIN_ROOM, EventId, HoldId, QueueNumber
from tests.builders.events import SEAT_IDS, paid, placed, released
from tests.builders.sale import ANN, DEADLINE, NOON, PLAY

AT = Instant(NOON + 123)


def about_a_hold() -> dict[str, Any]:
    return {
        "event_id": EventId("e"),
        "occurred_at": AT,
        "hold_id": HoldId(7),
        "buyer_id": ANN,
        "room_id": MAIN_ROOM,
        "place_number": QueueNumber(1),
        "performance_id": PLAY,
        "seat_ids": SEAT_IDS,
    }


EVENTS = [
    placed("a", hold_id=7),
    released("b", hold_id=7),
    HoldExpired(**about_a_hold(), expires_at=DEADLINE),
    HoldExtended(**about_a_hold(), expires_at=later(DEADLINE, MINUTE_MS), extended_ms=MINUTE_MS, cause="outage"),
    paid("e", order_id=9),
]

SCHEMAS = {form.event: form.schema() for form in FORMS}


def keys_of(schema: dict[str, Any]) -> Iterator[str]:
    for name, inside in schema.get("properties", {}).items():
        yield name
        yield from keys_of(inside)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
class TestEach:
    def test_it_comes_back_as_it_was(self, event: DomainEvent) -> None:
        assert read(message(event).value) == event

    def test_it_is_what_its_schema_says(self, event: DomainEvent) -> None:
        sent = msgspec.json.decode(message(event).value or b"")

        jsonschema_rs.validator_for(dict(SCHEMAS[type(event)])).validate(sent)
        assert set(sent) | set(sent["data"]) == set(keys_of(dict(SCHEMAS[type(event)])))

    def test_it_names_itself_where_nobody_has_to_read_it(self, event: DomainEvent) -> None:
        sent = message(event)

        assert dict(sent.headers) == {"event-id": event.event_id.encode(), "event-type": event.name.encode()}
        assert (sent.id, sent.topic) == (event.event_id, ORDERS if event.name == "OrderPaid" else HOLDS)
        assert sent.key == (b"9" if event.name == "OrderPaid" else b"7")


def test_there_is_an_example_of_each() -> None:
    assert {type(event) for event in EVENTS} == {form.event for form in FORMS}


def test_this_is_how_it_looks() -> None:
    assert msgspec.json.decode(message(paid("e", order_id=9)).value or b"") == {
        "id": "e",
        "type": "OrderPaid",
        "version": 1,
        "occurredAt": "2027-01-15T08:00:00Z",
        "data": {
            "orderId": 9,
            "holdId": 1_009,
            "buyerId": 1,
            "roomId": "main",
            "placeNumber": 1,
            "performanceId": 1,
            "seatIds": [1, 2],
            "amountWon": 100_000,
            "placeOver": True,
        },
    }


def test_a_field_that_was_added_later_disturbs_nobody() -> None:
    sent = msgspec.json.decode(message(paid("e")).value or b"")
    sent["data"]["giftWrapped"] = sent["sentBy"] = True

    assert read(msgspec.json.encode(sent)) == paid("e")


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"id":"e","type":"HoldBlessed","version":1,"occurredAt":"2027-01-15T08:00:00Z","data":{}}',
        b'{"id":"e","type":"OrderPaid","version":2,"occurredAt":"2027-01-15T08:00:00Z","data":{}}',
        b'{"id":"e","type":"OrderPaid","version":1,"occurredAt":"2027-01-15T08:00:00","data":{}}',
        b'{"id":"e","type":"OrderPaid","version":1,"occurredAt":"2027-01-15T08:00:00Z","data":{"orderId":"9"}}',
        b'{"id":"' + b"e" * 33 + b'","type":"OrderPaid","version":1,"occurredAt":"2027-01-15T08:00:00Z","data":{}}',
    ],
)
def test_what_is_none_of_them_is_told_apart(wrong: bytes | None) -> None:
    with pytest.raises(Unreadable):
        read(wrong)


@pytest.mark.parametrize(("replicas", "more"), [(1, {}), (2, {}), (3, {"min.insync.replicas": "2"})])
def test_of_three_replicas_two_have_to_have_a_message(replicas: int, more: Mapping[str, str]) -> None:
    topic = Topic(name="orders", settings={"cleanup.policy": "compact"})

    assert topic.settings_on(replicas) == {"cleanup.policy": "compact", **more}
