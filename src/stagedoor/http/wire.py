"""What goes over the wire, in and out; these types are also the schemas of the API document."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from stagedoor.holds.model import SEATS_PER_HOLD_MAX
from stagedoor.kernel.ids import WIRE_ID_MAX
from stagedoor.kernel.money import CHARGE_WON_MAX

ROOM_NAME_MAX = 64

SALE_STATE = "Only while an operator has stopped the sale: no seat is held anew, and under STOPPED none is paid for."
STALE = "Only in an outage: this is how things were when it began."

Id = Annotated[int, Meta(ge=1, le=WIRE_ID_MAX)]
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[int, Meta(ge=0)]
Milliseconds = Annotated[int, Meta(ge=0)]
Won = Annotated[int, Meta(ge=0, description="Whole won.")]
Date = Annotated[str, Meta(description="Date at the venue.", examples=["2027-01-09"])]
TimeOfDay = Annotated[str, Meta(description="Time of day at the venue.", examples=["18:00"])]
LocalInstant = Annotated[str, Meta(description="Date and time at the venue.", examples=["2027-01-09 18:00:00"])]
Rfc3339 = Annotated[str, Meta(description="RFC 3339, UTC.", examples=["2027-01-09T09:00:00.000Z"])]

PlaceStatusWord = Literal["WAITING", "PROGRESS", "DONE", "EXPIRED"]
RoomStateWord = Literal["UPCOMING", "OPEN", "PAUSED", "CLOSED"]
SaleStateWord = Literal["OPEN", "HOLDS_ONLY_FINISH", "STOPPED"]
SeatStatusWord = Literal["AVAILABLE", "TEMP_RESERVED", "RESERVED"]
ScheduleStatusWord = Literal["AVAILABLE", "SOLD_OUT"]
ReservationWord = Literal["TEMP_RESERVED", "RESERVED", "RELEASED", "EXPIRED"]
LedgerWord = Literal["CHARGE", "PAYMENT", "REFUND"]


class _Wire(Struct, rename="camel"):
    """A JSON object whose names are camelCase outside."""


# What a client may send; fields that are not named here are ignored.


class JoinBody(_Wire):
    """Who asks for a place, and in which room."""

    user_id: Annotated[Id, Meta(description="Needed under the demo identity.", examples=[1])] | UnsetType = UNSET
    room: (
        Annotated[str, Meta(max_length=ROOM_NAME_MAX, description="Default `main`.", examples=["main"])] | UnsetType
    ) = UNSET


class ChargeBody(_Wire):
    """How much to put into the wallet."""

    amount: Annotated[int, Meta(ge=1, le=CHARGE_WON_MAX, description="Whole won.", examples=[50_000])]
    user_id: Annotated[Id, Meta(description="Instead of a token, under the demo identity.")] | UnsetType = UNSET


class ReserveBody(_Wire):
    """Which seats to keep: `seatId` for one, `seatIds` for several, all or none."""

    schedule_id: Annotated[Id, Meta(examples=[1])]
    seat_id: Annotated[Id, Meta(examples=[1])] | UnsetType = UNSET
    seat_ids: Annotated[list[Id], Meta(min_length=1, max_length=SEATS_PER_HOLD_MAX)] | UnsetType = UNSET
    user_id: Annotated[Id, Meta(description="If given, it must be the token's buyer.")] | UnsetType = UNSET


class PayBody(_Wire):
    """Which reservation to pay for."""

    reservation_id: Annotated[Id, Meta(examples=[1])]
    user_id: Annotated[Id, Meta(description="Instead of a token, under the demo identity.")] | UnsetType = UNSET


class Ticket(_Wire):
    """A place in the line and the token that proves it."""

    queue_token: Annotated[str, Meta(description="A JWT; send it as `Authorization`.")]
    queue_position: Annotated[Count, Meta(description="1 for the next one, 0 once admitted.")]
    status: PlaceStatusWord


class PlaceReport(_Wire):
    """How a place stands. What is left is told only while nothing is free."""

    queue_position: Annotated[Count, Meta(description="1 for the next one, 0 once admitted or over.")]
    status: PlaceStatusWord
    estimated_wait_seconds: Annotated[Seconds | None, Meta(description="null where nobody can say.")]
    poll_after_ms: Annotated[Milliseconds, Meta(description="When to ask again.")]
    room_state: RoomStateWord
    opens_at: Rfc3339 | UnsetType = UNSET
    opens_in_seconds: Seconds | UnsetType = UNSET
    expires_at: (
        Annotated[str, Meta(description="The session's end, or the last hold's; RFC 3339, UTC.")] | UnsetType
    ) = UNSET
    expires_in_seconds: Seconds | UnsetType = UNSET
    idle_after_seconds: Annotated[Seconds, Meta(description="When silence ends the session.")] | UnsetType = UNSET
    sold_out: (
        Annotated[bool, Meta(description="Nothing is free, and nothing held that could come back.")] | UnsetType
    ) = UNSET
    free: Count | UnsetType = UNSET
    held: Count | UnsetType = UNSET
    next_hold_ends_in_seconds: Seconds | UnsetType = UNSET
    admission_paused: (
        Annotated[bool, Meta(description="Only while nobody is let in: part of the service is out, or nearly full.")]
        | UnsetType
    ) = UNSET
    sale_state: Annotated[SaleStateWord, Meta(description=SALE_STATE)] | UnsetType = UNSET
    stale: Annotated[bool, Meta(description=STALE)] | UnsetType = UNSET


class LeftLine(_Wire):
    """The place after leaving."""

    queue_position: Count
    status: PlaceStatusWord


class RoomDocument(_Wire):
    """How a room stands, for everybody."""

    room: str
    room_state: RoomStateWord
    serving_number: Count
    last_number: Count
    waiting: Annotated[Count, Meta(description="Places that count.")]
    active: Annotated[Count, Meta(description="Buyers who are admitted.")]
    max_active: Count
    admitted_per_second: Annotated[float | None, Meta(description="Of late; null before there is a figure.")]
    admitted_per_second_max: Annotated[float | None, Meta(description="null where only `maxActive` limits.")]
    sold_out: bool
    free: Count
    held: Count
    polls_per_second: Annotated[Count, Meta(description="What the polls of the whole line are spread over.")]
    poll_after_ms: Annotated[Milliseconds, Meta(description="When to read this document again.")]
    admission_paused: Annotated[
        bool, Meta(description="Nobody is let in, though the room may be open: part of the service is out or full.")
    ]
    next_hold_ends_in_seconds: Seconds | UnsetType = UNSET
    opens_at: Rfc3339 | UnsetType = UNSET
    opens_in_seconds: Seconds | UnsetType = UNSET
    closes_at: Rfc3339 | UnsetType = UNSET
    sale_state: Annotated[SaleStateWord, Meta(description=SALE_STATE)] | UnsetType = UNSET
    stale: Annotated[bool, Meta(description=STALE)] | UnsetType = UNSET


class Balance(_Wire):
    """What is in the wallet."""

    amount: Won


class ScheduleItem(_Wire):
    """A performance that is still to come."""

    schedule_id: Id
    concert_title: str
    open_date: Date
    start_time: TimeOfDay
    end_time: TimeOfDay
    seat_status: ScheduleStatusWord
    venue: str
    time_zone: str
    starts_at: Rfc3339
    ends_at: Rfc3339


class SeatItem(_Wire):
    """A seat of a performance."""

    seat_id: Id
    position: Annotated[int, Meta(ge=1)]
    amount: Won
    section: str
    row: str
    number: int
    zone: str
    seat_status: SeatStatusWord


class ConcertItem(_Wire):
    """What is on, for everybody."""

    schedule_id: Id
    room: str
    concert_title: str
    venue: str
    open_date: Date
    start_time: TimeOfDay
    end_time: TimeOfDay
    time_zone: str
    starts_at: Rfc3339
    ends_at: Rfc3339
    seats: Count
    amount_from: Won
    amount_to: Won


class Reservation(_Wire):
    """Seats kept for a buyer."""

    reservation_id: Id
    seat_status: Literal["TEMP_RESERVED"]
    reserved_date: LocalInstant
    reserved_until_date: LocalInstant
    reserved_at: Rfc3339
    reserved_until_at: Rfc3339
    reserved_until_in_seconds: Seconds
    schedule_id: Id
    seat_ids: list[Id]
    amount: Won


class Released(_Wire):
    """Seats that were let go."""

    reservation_id: Id
    seat_status: Literal["AVAILABLE"]


class Payment(_Wire):
    """A reservation that was paid."""

    payment_amount: Won
    seat_status: Literal["RESERVED"]
    queue_status: Annotated[
        PlaceStatusWord, Meta(description="`DONE`; `PROGRESS` while another reservation of hers is open.")
    ]
    order_id: Id
    reservation_id: Id
    paid_at: Rfc3339


class ReservationItem(_Wire):
    """One of a buyer's reservations."""

    reservation_id: Id
    schedule_id: Id
    room: str
    seat_ids: list[Id]
    amount: Won
    status: ReservationWord
    reserved_date: LocalInstant
    reserved_until_date: LocalInstant
    reserved_at: Rfc3339
    reserved_until_at: Rfc3339
    reserved_until_in_seconds: Annotated[Seconds, Meta(description="0 once it is over or paid.")]


class OrderItem(_Wire):
    """One of a buyer's orders."""

    order_id: Id
    reservation_id: Id
    schedule_id: Id
    seat_ids: list[Id]
    amount: Won
    paid_date: LocalInstant
    paid_at: Rfc3339


class LedgerItem(_Wire):
    """One movement of a buyer's wallet; *amount* is positive where the wallet gained."""

    transfer_id: Id
    type: LedgerWord
    amount: Annotated[int, Meta(description="Whole won, negative where the wallet lost.")]
    posted_at: Rfc3339
    order_id: Id | UnsetType = UNSET


class Alive(_Wire):
    """The process turns."""

    status: Literal["UP"]


class Ready(_Wire):
    """The process can serve; *parts* only for those who may see them."""

    status: Literal["READY"]
    parts: dict[str, str] | UnsetType = UNSET


class FlawDetail(_Wire):
    """What is wrong with one field."""

    field: str
    problem: str
    expected: str | UnsetType = UNSET


class Failure(_Wire):
    """Why not."""

    code: Annotated[str, Meta(description="Stable; go by it and not by the message.")]
    message: Annotated[str, Meta(description="In the language of `Accept-Language`: en or ko.")]
    details: list[FlawDetail] | UnsetType = UNSET
    retry_after_ms: Annotated[Milliseconds, Meta(description="When to try again.")] | UnsetType = UNSET
    request_id: Annotated[str, Meta(description="Tell it to whom you report the problem.")] | UnsetType = UNSET
    parts: Annotated[dict[str, str], Meta(description="Of `/readyz`, for those who may see it.")] | UnsetType = UNSET
