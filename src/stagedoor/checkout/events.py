"""What happened at the till."""

from dataclasses import dataclass

from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import BuyerId, HoldId, OrderId, PerformanceId, QueueNumber, RoomId, SeatId
from stagedoor.kernel.money import Won


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPaid(DomainEvent):
    """A hold became an order. *place_over*: the buyer's place in the line is used up by it."""

    order_id: OrderId
    hold_id: HoldId
    buyer_id: BuyerId
    room_id: RoomId
    place_number: QueueNumber
    performance_id: PerformanceId
    seat_ids: tuple[SeatId, ...]
    amount_won: Won
    place_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceClosed(DomainEvent):
    """The buyer left the place; nothing is held under it any more."""

    buyer_id: BuyerId
    room_id: RoomId
    place_number: QueueNumber
