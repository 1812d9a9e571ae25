"""What happened at the till."""

from dataclasses import dataclass
from typing import ClassVar

from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import BuyerId, HoldId, OrderId, PerformanceId, QueueNumber, RoomId, SeatId
from stagedoor.kernel.money import Won


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPaid(DomainEvent):
    """A hold became an order. *place_over*: the buyer's place in the line is used up by it."""

    name: ClassVar[str] = "OrderPaid"

    order_id: OrderId
    hold_id: HoldId
    buyer_id: BuyerId
    room_id: RoomId
    place_number: QueueNumber
    performance_id: PerformanceId
    seat_ids: tuple[SeatId, ...]
    amount_won: Won
    place_over: bool

    @property
    def subject_id(self) -> int:
        """The hold that was paid: the order of a hold's events matters up to its order."""
        return self.hold_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceClosed(DomainEvent):
    """The buyer left the place; nothing is held under it any more."""

    name: ClassVar[str] = "PlaceClosed"
    is_public: ClassVar[bool] = False

    buyer_id: BuyerId
    room_id: RoomId
    place_number: QueueNumber

    @property
    def subject_id(self) -> int:
        """The place."""
        return self.place_number
