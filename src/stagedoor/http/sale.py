"""The sale: reserve seats, release them, pay for them."""

from litestar import delete, post
from litestar.params import FromPath, JSONBody
from litestar.types import Scope

from stagedoor.checkout.outcomes import HoldReceipt, OrderReceipt, ReleaseReceipt
from stagedoor.http.answer import Answer, success
from stagedoor.http.call import call_of
from stagedoor.http.contract import Entry, Field, Needs
from stagedoor.http.keys import key_of
from stagedoor.http.limits import LimitedCall
from stagedoor.http.problems import (
    BALANCE_SMALL,
    HOLD_OVER,
    NO_RESERVATION,
    NO_SCHEDULE,
    NO_SEAT,
    NOT_YOURS,
    PAID_ALREADY,
    PLACE_OVER,
    RESERVED_TOO_EARLY,
    SEAT_TAKEN,
    SOLD_OUT,
    TOO_MANY,
    TOO_MANY_SEATS,
)
from stagedoor.http.reading import given, parse_id, user_id_of
from stagedoor.http.rejections import ReservedTooEarly, Unreadable
from stagedoor.http.times import local_instant, rfc3339, seconds_left
from stagedoor.http.wire import Id, PayBody, Payment, Released, Reservation, ReserveBody
from stagedoor.kernel.ids import BuyerId, HoldId, PerformanceId, SeatId
from stagedoor.resilience.breakers import Instance
from stagedoor.resilience.priority import Priority
from stagedoor.waiting_room.model import SignedPlace
from stagedoor.waiting_room.rejections import ForeignIdentity, StillWaiting

_USER_ID = Field(name="userId", kind=Id, description="Instead of a token, under the demo identity.")


@post(
    "/concerts/reserve",
    status_code=200,
    opt=Entry(
        tag="concerts",
        summary="Reserve seats for five minutes",
        priority=Priority.RESERVE,
        quiet=True,
        needs=Needs.QUEUE_TOKEN,
        refusals=(
            RESERVED_TOO_EARLY,
            NOT_YOURS,
            NO_SCHEDULE,
            NO_SEAT,
            SOLD_OUT,
            SEAT_TAKEN,
            TOO_MANY_SEATS,
            PLACE_OVER,
            TOO_MANY,
        ),
        repeatable=True,
        example={
            "reservationId": 5277655813324801,
            "seatStatus": "TEMP_RESERVED",
            "reservedDate": "2027-01-02 20:00:00",
            "reservedUntilDate": "2027-01-02 20:05:00",
            "reservedAt": "2027-01-02T11:00:00.000Z",
            "reservedUntilAt": "2027-01-02T11:05:00.000Z",
            "reservedUntilInSeconds": 300,
            "scheduleId": 1,
            "seatIds": [1],
            "amount": 50_000,
        },
    ).opt,
)
async def reserve_seats(data: JSONBody[ReserveBody], scope: Scope) -> Answer[Reservation]:
    """Keep the seats, all or none. Reserving again exactly what one holds gives the same reservation."""
    call = call_of(scope)
    services = call.services
    seat_ids = _seat_ids(data)
    key = key_of(call, data.schedule_id, seat_ids)
    claims = call.claims()
    _require_own(claims, given(data.user_id, BuyerId))
    buyer_id = claims.buyer_id
    services.limits.take(LimitedCall.RESERVE, buyer_id=buyer_id, address=call.address, now=call.asked_at)
    performance_id = PerformanceId(data.schedule_id)
    await services.enter_room.settled(claims.ref, signed=claims)
    # Asked before the seats are, so that a reservation that was made can be told.
    time_zone = await services.listings.time_zone_of(performance_id) or services.time_zone
    try:
        settled = await services.under_way.settle(
            lambda: services.reserve_seats.reserve(
                ref=claims.ref, buyer_id=buyer_id, performance_id=performance_id, seat_ids=seat_ids, key=key
            ),
            buyer_id=buyer_id,
            call=call.name,
            key=key,
            guard=services.breakers.of(Instance.SALE),
            # Of a hold that nobody waited for the line is told by its event, as of an order; if there is none, the
            # note of it lapses.
            may_be_cut_off=True,
        )
    except StillWaiting as rejection:
        raise ReservedTooEarly from rejection
    assert isinstance(settled.receipt, HoldReceipt)
    return success(reservation(settled.receipt, time_zone), replayed=settled.replayed)


@delete(
    "/concerts/reserve/{reservation_id:str}",
    status_code=200,
    opt=Entry(
        tag="concerts",
        summary="Release a reservation",
        priority=Priority.RELEASE,
        needs=Needs.WHO_SHE_IS,
        refusals=(NOT_YOURS, NO_RESERVATION, PAID_ALREADY, HOLD_OVER),
        path=(Field(name="reservationId", kind=Id, description="Of the reservation."),),
        query=(_USER_ID,),
        repeatable=True,
        example={"reservationId": 5277655813324801, "seatStatus": "AVAILABLE"},
    ).opt,
)
async def release_seats(reservation_id: FromPath[str], scope: Scope) -> Answer[Released]:
    """Let the seats go. They are closed to her who let them go for a minute."""
    call = call_of(scope)
    services = call.services
    hold_id = HoldId(parse_id("reservationId", reservation_id))
    key = key_of(call, hold_id)
    user_id = user_id_of(call)
    buyer_id = await call.who(user_id)
    settled = await services.under_way.settle(
        lambda: services.release_seats.release(hold_id=hold_id, buyer_id=buyer_id, key=key),
        buyer_id=buyer_id,
        call=call.name,
        key=key,
        guard=services.breakers.of(Instance.SALE),
    )
    assert isinstance(settled.receipt, ReleaseReceipt)
    released = Released(reservation_id=settled.receipt.hold_id, seat_status="AVAILABLE")
    return success(released, replayed=settled.replayed)


@post(
    "/concerts/payment",
    status_code=200,
    opt=Entry(
        tag="concerts",
        summary="Pay for a reservation",
        priority=Priority.PAY,
        quiet=True,
        needs=Needs.WHO_SHE_IS,
        refusals=(BALANCE_SMALL, NOT_YOURS, NO_RESERVATION, PAID_ALREADY, HOLD_OVER),
        query=(_USER_ID,),
        repeatable=True,
        example={
            "paymentAmount": 50_000,
            "seatStatus": "RESERVED",
            "queueStatus": "DONE",
            "orderId": 2748779069441,
            "reservationId": 5277655813324801,
            "paidAt": "2027-01-02T11:02:00.000Z",
        },
    ).opt,
)
async def pay(data: JSONBody[PayBody], scope: Scope) -> Answer[Payment]:
    """Turn the reservation into an order, all of it or none; it happens once."""
    call = call_of(scope)
    services = call.services
    key = key_of(call, data.reservation_id)
    user_id = user_id_of(call, data.user_id)
    buyer_id = await call.who(user_id)
    settled = await services.under_way.settle(
        lambda: services.pay.pay(hold_id=HoldId(data.reservation_id), buyer_id=buyer_id, key=key),
        buyer_id=buyer_id,
        call=call.name,
        key=key,
        guard=services.breakers.of(Instance.SALE),
        may_be_cut_off=True,
    )
    receipt = settled.receipt
    assert isinstance(receipt, OrderReceipt)
    payment = Payment(
        payment_amount=receipt.amount_won,
        seat_status="RESERVED",
        queue_status="DONE" if receipt.place_over else "PROGRESS",
        order_id=receipt.order_id,
        reservation_id=receipt.hold_id,
        paid_at=rfc3339(receipt.paid_at),
    )
    return success(payment, replayed=settled.replayed)


def reservation(receipt: HoldReceipt, time_zone: str) -> Reservation:
    """Return the receipt in the words of the wire, as of the instant at which it was first given."""
    return Reservation(
        reservation_id=receipt.hold_id,
        seat_status="TEMP_RESERVED",
        reserved_date=local_instant(receipt.placed_at, time_zone),
        reserved_until_date=local_instant(receipt.expires_at, time_zone),
        reserved_at=rfc3339(receipt.placed_at),
        reserved_until_at=rfc3339(receipt.expires_at),
        reserved_until_in_seconds=seconds_left(receipt.expires_at, receipt.answered_at),
        schedule_id=receipt.performance_id,
        seat_ids=list(receipt.seat_ids),
        amount=receipt.amount_won,
    )


def _seat_ids(body: ReserveBody) -> tuple[SeatId, ...]:
    """Return the distinct seats a body asks for, in its order. Raises `Unreadable` unless it says so in one way."""
    one, several = given(body.seat_id, SeatId), given(body.seat_ids, list)
    if several is None:
        if one is None:
            raise Unreadable("seatId", "missing")
        return (one,)
    if one is not None:
        raise Unreadable("seatIds", "not_beside", expected="seatId or seatIds")
    if len(set(several)) != len(several):
        raise Unreadable("seatIds", "given_twice")
    return tuple(SeatId(seat_id) for seat_id in several)


def _require_own(claims: SignedPlace, user_id: BuyerId | None) -> None:
    if user_id is not None and user_id != claims.buyer_id:
        raise ForeignIdentity
