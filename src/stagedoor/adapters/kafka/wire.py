"""
Events as other systems read them: JSON that has a version, a schema and no word about how to reach anybody.

Whatever the classes inside are called, these names stay. A field may be added
to a version; one that changes its name, type or meaning makes a new version,
and the old one is sent beside it for as long as somebody reads it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from stagedoor.adapters.kafka.sender import Message
from stagedoor.checkout.events import OrderPaid
from stagedoor.holds.events import HoldExpired, HoldExtended, HoldPlaced, HoldReleased
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import EventId

ORDERS = "stagedoor.orders"
HOLDS = "stagedoor.holds"
EVENT_ID = "event-id"
EVENT_TYPE = "event-type"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_Id = Annotated[int, Meta(ge=0, lt=2**53)]
HoldIdField = Annotated[_Id, Meta(description="The hold: what the API calls reservationId.")]
OrderIdField = Annotated[_Id, Meta(description="The order.")]
BuyerIdField = Annotated[_Id, Meta(description="The buyer: what the API calls userId. Nothing else is said about her.")]
RoomIdField = Annotated[str, Meta(description="The waiting room.", max_length=64)]
PlaceNumberField = Annotated[_Id, Meta(description="The queue number of the place under which it happened.")]
PerformanceIdField = Annotated[_Id, Meta(description="The performance: what the API calls scheduleId.")]
SeatIdsField = Annotated[list[_Id], Meta(description="The seats.", min_length=1)]
AmountField = Annotated[int, Meta(description="What was paid, in whole won.", ge=0)]
PlaceOverField = Annotated[bool, Meta(description="Whether the place in the line is used up by it.")]
ExpiresAtField = Annotated[datetime, Meta(description="When the seats are free again unless they are paid.", tz=True)]
ExpiredAtField = Annotated[datetime, Meta(description="The deadline that passed.", tz=True)]
ExtendedField = Annotated[int, Meta(description="By how many milliseconds the deadline moved.", ge=0)]
CauseField = Annotated[str, Meta(description="Why it moved: outage.")]

EventIdField = Annotated[str, Meta(description="Deduplicate by it: a message may come twice.", max_length=32)]
OccurredAtField = Annotated[datetime, Meta(description="When it happened.", tz=True)]


class _Data(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an event tells."""


class _HoldData(_Data, frozen=True, kw_only=True, rename="camel"):
    hold_id: HoldIdField
    buyer_id: BuyerIdField
    room_id: RoomIdField
    place_number: PlaceNumberField
    performance_id: PerformanceIdField
    seat_ids: SeatIdsField


class HoldPlacedData(_HoldData, frozen=True, kw_only=True, rename="camel"):
    """Seats went off sale for a buyer until a deadline."""

    expires_at: ExpiresAtField


class HoldReleasedData(_HoldData, frozen=True, kw_only=True, rename="camel"):
    """The buyer let the seats go."""


class HoldExpiredData(_HoldData, frozen=True, kw_only=True, rename="camel"):
    """The deadline passed unpaid."""

    expires_at: ExpiredAtField


class HoldExtendedData(_HoldData, frozen=True, kw_only=True, rename="camel"):
    """The deadline moved later."""

    expires_at: ExpiresAtField
    extended_ms: ExtendedField
    cause: CauseField


class OrderPaidData(_Data, frozen=True, kw_only=True, rename="camel"):
    """A hold became an order: the seats are sold, and paid."""

    order_id: OrderIdField
    hold_id: HoldIdField
    buyer_id: BuyerIdField
    room_id: RoomIdField
    place_number: PlaceNumberField
    performance_id: PerformanceIdField
    seat_ids: SeatIdsField
    amount_won: AmountField
    place_over: PlaceOverField


class Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What every message has; *data* depends on *type* and *version*."""

    id: EventIdField
    type: str
    version: int
    occurred_at: OccurredAtField
    data: msgspec.Raw


class Unreadable(Exception):  # noqa: N818 -- it is found in what others have sent
    """A message is no event that this version knows; its text says why."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """How one event looks outside: its *topic*, its *version*, and the attribute *key* that orders its messages."""

    event: type[DomainEvent]
    version: int
    topic: str
    key: str
    data: type[_Data]
    _decoder: msgspec.json.Decoder[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make what reads the data."""
        object.__setattr__(self, "_decoder", msgspec.json.Decoder(self.data))

    @property
    def name(self) -> str:
        """The event's name, on the wire too."""
        return self.event.name

    @cached_property
    def fields(self) -> Sequence[str]:
        """The attributes of the event that are told."""
        return self.data.__struct_fields__

    def written(self, event: DomainEvent) -> bytes:
        """Return the data of *event*."""
        return msgspec.json.encode(self.data(**{name: _out(name, getattr(event, name)) for name in self.fields}))

    def read(self, envelope: Envelope) -> DomainEvent:
        """Return the event in *envelope*. Raises `msgspec.ValidationError`."""
        data = self._decoder.decode(envelope.data)
        told = {name: _in(getattr(data, name)) for name in self.fields}
        return self.event(event_id=EventId(envelope.id), occurred_at=_instant(envelope.occurred_at), **told)

    def schema(self) -> Mapping[str, Any]:
        """Return the JSON Schema of a whole message."""
        message = msgspec.defstruct(
            self.name,
            [
                ("id", EventIdField),
                ("type", Literal[self.name]),
                ("version", Literal[self.version]),
                ("occurred_at", OccurredAtField),
                ("data", self.data),
            ],
            rename="camel",
            kw_only=True,
        )
        (_,), components = msgspec.json.schema_components([message])
        whole = {**components[self.name], "description": self.data.__doc__}
        whole["properties"] = {**whole["properties"], "data": components[self.data.__name__]}
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}


FORMS: Sequence[Form] = (
    Form(event=HoldPlaced, version=1, topic=HOLDS, key="hold_id", data=HoldPlacedData),
    Form(event=HoldReleased, version=1, topic=HOLDS, key="hold_id", data=HoldReleasedData),
    Form(event=HoldExpired, version=1, topic=HOLDS, key="hold_id", data=HoldExpiredData),
    Form(event=HoldExtended, version=1, topic=HOLDS, key="hold_id", data=HoldExtendedData),
    Form(event=OrderPaid, version=1, topic=ORDERS, key="order_id", data=OrderPaidData),
)
"""Every event that other systems are told of."""

_FORM_OF: Mapping[type[DomainEvent], Form] = {form.event: form for form in FORMS}
_FORM_NAMED: Mapping[tuple[str, int], Form] = {(form.name, form.version): form for form in FORMS}
_envelope = msgspec.json.Decoder(Envelope)


def message(event: DomainEvent) -> Message:
    """Return *event* as it is sent. It has to be one of the public ones."""
    form = _FORM_OF[type(event)]
    value = msgspec.json.encode(
        Envelope(
            id=event.event_id,
            type=form.name,
            version=form.version,
            occurred_at=_moment(event.occurred_at),
            data=msgspec.Raw(form.written(event)),
        )
    )
    return Message(
        id=event.event_id,
        topic=form.topic,
        key=str(getattr(event, form.key)).encode(),
        value=value,
        headers=((EVENT_ID, event.event_id.encode()), (EVENT_TYPE, form.name.encode())),
    )


def read(value: bytes | None) -> DomainEvent:
    """Return the event that was sent as *value*. Raises `Unreadable`."""
    try:
        envelope = _envelope.decode(value or b"")
        form = _FORM_NAMED.get((envelope.type, envelope.version))
        if form is None:
            raise Unreadable(f"there is no {envelope.type[:100]!r} of version {envelope.version} here")
        return form.read(envelope)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from error


def _out(name: str, value: object) -> object:
    # The instants are what is called so; everything else is sent as it is.
    if name.endswith("_at"):
        assert isinstance(value, int)
        return _moment(Instant(value))
    return list(value) if isinstance(value, tuple) else value


def _in(value: object) -> object:
    if isinstance(value, datetime):
        return _instant(value)
    return tuple(value) if isinstance(value, list) else value


def _moment(instant: Instant) -> datetime:
    return _EPOCH + instant * _MILLISECOND


def _instant(moment: datetime) -> Instant:
    return Instant((moment - _EPOCH) // _MILLISECOND)
