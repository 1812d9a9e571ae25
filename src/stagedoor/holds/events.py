"""What happened to holds."""

from dataclasses import dataclass
from typing import ClassVar

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import BuyerId, HoldId, PerformanceId, QueueNumber, RoomId, SeatId


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldEvent(DomainEvent):
    """What every event of a hold tells."""

    hold_id: HoldId
    buyer_id: BuyerId
    room_id: RoomId
    place_number: QueueNumber
    performance_id: PerformanceId
    seat_ids: tuple[SeatId, ...]

    @property
    def subject_id(self) -> int:
        """The hold."""
        return self.hold_id


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPlaced(HoldEvent):
    """Seats went off sale for a buyer until *expires_at*."""

    name: ClassVar[str] = "HoldPlaced"

    expires_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReleased(HoldEvent):
    """The buyer let the seats go."""

    name: ClassVar[str] = "HoldReleased"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldExpired(HoldEvent):
    """The deadline *expires_at* passed unpaid."""

    name: ClassVar[str] = "HoldExpired"

    expires_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldExtended(HoldEvent):
    """The deadline moved later, to *expires_at*, for the cause named."""

    name: ClassVar[str] = "HoldExtended"

    expires_at: Instant
    extended_ms: int
    cause: str
