"""The sale's commands and rows, with everything said that a test does not care about."""

from collections.abc import Mapping, Sequence
from itertools import count

from stagedoor.checkout.commands import ChargeWallet, ClosePlace, PayForHold, PlaceHold, ReleaseHold
from stagedoor.checkout.outcomes import Outcome, Receipt, Settled
from stagedoor.checkout.rows import OnSale, PricedSeat, SaleRows
from stagedoor.holds.model import HeldSeat, Hold, HoldState
from stagedoor.kernel.clock import MINUTE_MS, Instant, later
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import (
    MAIN_ROOM,
    BuyerId,
    EventId,
    HoldId,
    OrderId,
    PerformanceId,
    PlaceRef,
    QueueNumber,
    RoomId,
    SeatId,
    TransferId,
)
from stagedoor.kernel.money import Won
from stagedoor.waiting_room.model import Standing

NOON = Instant(1_800_000_000_000)
DEADLINE = later(NOON, 5 * MINUTE_MS)
"""When a hold placed at noon ends."""

ANN = BuyerId(1)
BOB = BuyerId(2)
NOBODY = BuyerId(99_999)

PLAY = PerformanceId(1)
"""In the room `main`, with the seats 1 to 50."""
OPERA = PerformanceId(2)
"""In the room `main`, with the seats 51 to 60."""
GALA = PerformanceId(3)
"""In the room `vip`, with the seats 61 to 70."""
OVER = PerformanceId(4)
"""In the room `main`, with the seats 71 to 80; it ends at noon."""

VIP_ROOM = RoomId("vip")

SEATS: Mapping[PerformanceId, range] = {
    PLAY: range(1, 51),
    OPERA: range(51, 61),
    GALA: range(61, 71),
    OVER: range(71, 81),
}
ROOMS: Mapping[PerformanceId, RoomId] = {PLAY: MAIN_ROOM, OPERA: MAIN_ROOM, GALA: VIP_ROOM, OVER: MAIN_ROOM}

PRICE = Won(50_000)
BALANCE = Won(300_000)

_transfers = count(900_001)


def a_place(number: int, room_id: RoomId = MAIN_ROOM) -> PlaceRef:
    return PlaceRef(room_id=room_id, number=QueueNumber(number))


def a_key(value: str = "a key", fingerprint: str = "a body") -> IdempotencyKey:
    return IdempotencyKey(value=value, fingerprint=fingerprint)


def reserve(  # noqa: PLR0913 -- a builder takes whatever a test may care about
    buyer_id: int,
    *seat_ids: int,
    hold_id: int | None = None,
    place: PlaceRef | None = None,
    standing: Standing = Standing.ADMITTED,
    session_ends_at: Instant | None = None,
    performance_id: PerformanceId = PLAY,
    key: IdempotencyKey | None = None,
) -> PlaceHold:
    """Ask for seats; by default the place's number is the buyer's and the hold's id a thousand more."""
    return PlaceHold(
        hold_id=HoldId(1_000 + buyer_id if hold_id is None else hold_id),
        buyer_id=BuyerId(buyer_id),
        place=a_place(buyer_id) if place is None else place,
        standing=standing,
        session_ends_at=session_ends_at,
        performance_id=performance_id,
        seat_ids=tuple(SeatId(seat_id) for seat_id in seat_ids),
        key=key,
    )


def pay(
    buyer_id: int, *, hold_id: int | None = None, order_id: int | None = None, key: IdempotencyKey | None = None
) -> PayForHold:
    """Pay; by default for the hold that `reserve` places."""
    transfer_id = next(_transfers)
    return PayForHold(
        hold_id=HoldId(1_000 + buyer_id if hold_id is None else hold_id),
        buyer_id=BuyerId(buyer_id),
        order_id=OrderId(transfer_id if order_id is None else order_id),
        transfer_id=TransferId(transfer_id),
        key=key,
    )


def release(buyer_id: int, *, hold_id: int | None = None, key: IdempotencyKey | None = None) -> ReleaseHold:
    """Let go; by default of the hold that `reserve` places."""
    return ReleaseHold(
        hold_id=HoldId(1_000 + buyer_id if hold_id is None else hold_id), buyer_id=BuyerId(buyer_id), key=key
    )


def leave(buyer_id: int, place: PlaceRef | None = None) -> ClosePlace:
    """Leave; by default the place that `reserve` names."""
    return ClosePlace(buyer_id=BuyerId(buyer_id), place=a_place(buyer_id) if place is None else place)


def charge(
    buyer_id: int, amount_won: int = 10_000, *, by_shop: str | None = None, key: IdempotencyKey | None = None
) -> ChargeWallet:
    return ChargeWallet(
        buyer_id=BuyerId(buyer_id),
        amount_won=Won(amount_won),
        transfer_id=TransferId(next(_transfers)),
        by_shop=by_shop,
        key=key,
    )


def a_hold(  # noqa: PLR0913 -- as above
    buyer_id: int,
    *seat_ids: int,
    hold_id: int | None = None,
    place: PlaceRef | None = None,
    performance_id: PerformanceId = PLAY,
    price_won: int = PRICE,
    placed_at: Instant = NOON,
    expires_at: Instant = DEADLINE,
    state: HoldState = HoldState.OPEN,
    ended_at: Instant | None = None,
) -> Hold:
    return Hold(
        id=HoldId(1_000 + buyer_id if hold_id is None else hold_id),
        buyer_id=BuyerId(buyer_id),
        place=a_place(buyer_id) if place is None else place,
        performance_id=performance_id,
        seats=tuple(HeldSeat(seat_id=SeatId(seat_id), price_won=Won(price_won)) for seat_id in seat_ids),
        placed_at=placed_at,
        expires_at=expires_at,
        state=state,
        ended_at=ended_at,
    )


def on_sale(now: Instant = NOON) -> Mapping[PerformanceId, OnSale]:
    """Every performance, as a batch loads it."""
    return {
        performance_id: OnSale(
            id=performance_id,
            room_id=ROOMS[performance_id],
            ends_at=NOON if performance_id == OVER else later(now, 10**9),
        )
        for performance_id in SEATS
    }


def priced_seats() -> Mapping[SeatId, PricedSeat]:
    """Every seat, as a batch loads it."""
    return {
        SeatId(seat_id): PricedSeat(id=SeatId(seat_id), performance_id=performance_id, price_won=PRICE)
        for performance_id, seat_ids in SEATS.items()
        for seat_id in seat_ids
    }


def untouched_rows(now: Instant = NOON, *, members: int = 200, balance_won: int = BALANCE) -> SaleRows:
    """Everything a batch could load before anybody has bought anything."""
    return SaleRows(
        now=now,
        balances={BuyerId(number): Won(balance_won) for number in range(1, members + 1)},
        performances=on_sale(now),
        seats=priced_seats(),
        unsold={performance_id: len(seat_ids) for performance_id, seat_ids in SEATS.items()},
    )


class NumberedEvents:
    """Makes event ids that can be told apart: e1, e2, …"""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, _at: Instant) -> EventId:
        self._count += 1
        return EventId(f"e{self._count}")


def receipt_of(outcome: Outcome) -> Receipt:
    """Return what a command was answered, which must have taken effect."""
    assert isinstance(outcome, Settled), outcome
    return outcome.receipt


def kinds(outcomes: Sequence[Outcome]) -> list[str]:
    """Name each outcome: `Settled`, or the rejection's class."""
    return [type(outcome).__name__ for outcome in outcomes]
