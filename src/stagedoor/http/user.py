"""A buyer's own affairs: her wallet, what she reserved, bought and paid. No place in the line is needed."""

from litestar import get, post
from litestar.params import JSONBody
from litestar.types import Scope
from msgspec import UNSET

from stagedoor.checkout.outcomes import WalletReceipt
from stagedoor.checkout.rows import Order
from stagedoor.holds.model import Hold, HoldState
from stagedoor.http.answer import Answer, success
from stagedoor.http.call import Call, call_of
from stagedoor.http.contract import Entry, Field, Needs
from stagedoor.http.keys import key_of
from stagedoor.http.limits import LimitedCall
from stagedoor.http.problems import BALANCE_LARGE, NO_BUYER, NOT_YOURS, SHOP_ONLY, TOO_MANY
from stagedoor.http.reading import Query, user_id_of
from stagedoor.http.times import local_instant, rfc3339, seconds_left
from stagedoor.http.wire import (
    Balance,
    ChargeBody,
    Id,
    LedgerItem,
    LedgerWord,
    OrderItem,
    ReservationItem,
    ReservationWord,
)
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId
from stagedoor.kernel.money import Won
from stagedoor.resilience.breakers import Instance
from stagedoor.resilience.priority import Priority
from stagedoor.waiting_room.rejections import UnknownBuyer
from stagedoor.wallet.model import Transfer, TransferKind, wallet_account

ROWS_AT_FIRST = 50
ROWS_MAX = 100

_USER_ID = Field(name="userId", kind=Id, description="Instead of a token, under the demo identity.")
_LIMIT = Field(
    name="limit", kind=Id, description=f"How many of the newest; default {ROWS_AT_FIRST}, at most {ROWS_MAX}."
)

# A hold that is open and past its deadline is expired, whether or not anything has written so.
_ENDED: dict[HoldState, ReservationWord] = {HoldState.PAID: "RESERVED", HoldState.RELEASED: "RELEASED"}

_KINDS: dict[TransferKind, LedgerWord] = {
    TransferKind.CHARGE: "CHARGE",
    TransferKind.PAYMENT: "PAYMENT",
    TransferKind.REFUND: "REFUND",
}


@post(
    "/user/amount",
    status_code=200,
    opt=Entry(
        tag="user",
        summary="Charge the wallet",
        priority=Priority.WALLET,
        quiet=True,
        needs=Needs.WHO_SHE_IS,
        refusals=(NOT_YOURS, SHOP_ONLY, NO_BUYER, BALANCE_LARGE, TOO_MANY),
        query=(_USER_ID,),
        repeatable=True,
        example={"amount": 150_000},
    ).opt,
)
async def charge(data: JSONBody[ChargeBody], scope: Scope) -> Answer[Balance]:
    """Put money into the wallet; the answer is the balance after."""
    call = call_of(scope)
    services = call.services
    key = key_of(call, data.amount)
    user_id = user_id_of(call, data.user_id)
    buyer_id = await call.who(user_id)
    services.limits.take(LimitedCall.CHARGE, buyer_id=buyer_id, address=call.address, now=call.asked_at)
    settled = await services.under_way.settle(
        lambda: services.charge.charge(buyer_id=buyer_id, amount_won=Won(data.amount), key=key),
        buyer_id=buyer_id,
        call=call.name,
        key=key,
        guard=services.breakers.of(Instance.SALE),
    )
    assert isinstance(settled.receipt, WalletReceipt)
    return success(Balance(amount=settled.receipt.balance_won), replayed=settled.replayed)


@get(
    "/user/amount",
    opt=Entry(
        tag="user",
        summary="Read the wallet",
        priority=Priority.WALLET,
        quiet=True,
        needs=Needs.WHO_SHE_IS,
        refusals=(NOT_YOURS, NO_BUYER),
        query=(_USER_ID,),
        example={"amount": 150_000},
    ).opt,
)
async def read_balance(scope: Scope) -> Answer[Balance]:
    """Tell the balance."""
    call = call_of(scope)
    buyer_id = await call.who(user_id_of(call))
    balance = await call.services.wallets.balance(buyer_id)
    if balance is None:
        raise UnknownBuyer
    return success(Balance(amount=balance))


@get(
    "/user/reservations",
    opt=Entry(
        tag="user",
        summary="Her reservations",
        priority=Priority.WALLET,
        needs=Needs.WHO_SHE_IS,
        refusals=(NOT_YOURS,),
        query=(_USER_ID, _LIMIT),
        example=[
            {
                "reservationId": 5277655813324801,
                "scheduleId": 1,
                "room": "main",
                "seatIds": [1],
                "amount": 50_000,
                "status": "TEMP_RESERVED",
                "reservedDate": "2027-01-02 20:00:00",
                "reservedUntilDate": "2027-01-02 20:05:00",
                "reservedAt": "2027-01-02T11:00:00.000Z",
                "reservedUntilAt": "2027-01-02T11:05:00.000Z",
                "reservedUntilInSeconds": 240,
            }
        ],
    ).opt,
)
async def list_reservations(scope: Scope) -> Answer[list[ReservationItem]]:
    """List the newest reservations first, whatever became of them."""
    call = call_of(scope)
    buyer_id, limit = await _asked(call)
    holds = await call.services.buyer_records.holds_of(buyer_id, limit=limit)
    now = call.services.service_clock.now()
    return success([_reservation_item(hold, await _time_zone(call, hold), now) for hold in holds])


@get(
    "/user/orders",
    opt=Entry(
        tag="user",
        summary="Her orders",
        priority=Priority.WALLET,
        needs=Needs.WHO_SHE_IS,
        refusals=(NOT_YOURS,),
        query=(_USER_ID, _LIMIT),
        example=[
            {
                "orderId": 2748779069441,
                "reservationId": 5277655813324801,
                "scheduleId": 1,
                "seatIds": [1],
                "amount": 50_000,
                "paidDate": "2027-01-02 20:02:00",
                "paidAt": "2027-01-02T11:02:00.000Z",
            }
        ],
    ).opt,
)
async def list_orders(scope: Scope) -> Answer[list[OrderItem]]:
    """List the newest orders first."""
    call = call_of(scope)
    buyer_id, limit = await _asked(call)
    orders = await call.services.buyer_records.orders_of(buyer_id, limit=limit)
    return success([_order_item(order, hold, await _time_zone(call, hold)) for order, hold in orders])


@get(
    "/user/ledger",
    opt=Entry(
        tag="user",
        summary="Her wallet's movements",
        priority=Priority.WALLET,
        needs=Needs.WHO_SHE_IS,
        refusals=(NOT_YOURS,),
        query=(_USER_ID, _LIMIT),
        example=[
            {
                "transferId": 7318349394477057,
                "type": "PAYMENT",
                "amount": -50_000,
                "postedAt": "2027-01-02T11:02:00.000Z",
                "orderId": 2748779069441,
            }
        ],
    ).opt,
)
async def list_ledger(scope: Scope) -> Answer[list[LedgerItem]]:
    """List the newest movements first; all of them together come to the balance."""
    call = call_of(scope)
    buyer_id, limit = await _asked(call)
    transfers = await call.services.wallets.ledger(buyer_id, limit=limit)
    return success([_ledger_item(transfer) for transfer in transfers])


async def _asked(call: Call) -> tuple[BuyerId, int]:
    limit = Query(call).limit(default=ROWS_AT_FIRST, most=ROWS_MAX)
    user_id = user_id_of(call)
    return await call.who(user_id), limit


async def _time_zone(call: Call, hold: Hold) -> str:
    return await call.services.listings.time_zone_of(hold.performance_id) or call.services.time_zone


def _reservation_item(hold: Hold, time_zone: str, now: Instant) -> ReservationItem:
    is_open = hold.is_open_at(now)
    return ReservationItem(
        reservation_id=hold.id,
        schedule_id=hold.performance_id,
        room=hold.place.room_id,
        seat_ids=[seat.seat_id for seat in hold.seats],
        amount=hold.amount_won,
        status="TEMP_RESERVED" if is_open else _ENDED.get(hold.state, "EXPIRED"),
        reserved_date=local_instant(hold.placed_at, time_zone),
        reserved_until_date=local_instant(hold.expires_at, time_zone),
        reserved_at=rfc3339(hold.placed_at),
        reserved_until_at=rfc3339(hold.expires_at),
        reserved_until_in_seconds=seconds_left(hold.expires_at, now) if is_open else 0,
    )


def _order_item(order: Order, hold: Hold, time_zone: str) -> OrderItem:
    return OrderItem(
        order_id=order.id,
        reservation_id=order.hold_id,
        schedule_id=order.performance_id,
        seat_ids=[seat.seat_id for seat in hold.seats],
        amount=order.amount_won,
        paid_date=local_instant(order.paid_at, time_zone),
        paid_at=rfc3339(order.paid_at),
    )


def _ledger_item(transfer: Transfer) -> LedgerItem:
    gained = transfer.credit == wallet_account(transfer.buyer_id)
    return LedgerItem(
        transfer_id=transfer.id,
        type=_KINDS[transfer.kind],
        amount=transfer.amount_won if gained else -transfer.amount_won,
        posted_at=rfc3339(transfer.posted_at),
        order_id=UNSET if transfer.cause_id is None else transfer.cause_id,
    )
