"""Performances and seats, and the count of what is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import PerformanceId, RoomId, SeatId
from stagedoor.kernel.money import Won


class SeatState(StrEnum):
    """The four states of a seat. Free is the absence of a claim."""

    FREE = "free"
    HELD = "held"
    SOLD = "sold"
    BLOCKED = "blocked"


class ClaimState(IntEnum):
    """How a claimed seat is claimed. The values are stored; never renumber them."""

    HELD = 1
    SOLD = 2
    BLOCKED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """One show at one date and venue. *time_zone* is the venue's IANA name."""

    id: PerformanceId
    room_id: RoomId
    title: str
    venue: str
    starts_at: Instant
    ends_at: Instant
    time_zone: str
    seat_count: int
    price_from_won: Won
    price_to_won: Won


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One seat of one performance. *position* numbers the seats of a performance from 1."""

    id: SeatId
    position: int
    section: str
    row: str
    number: int
    zone: str
    price_won: Won


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """What is left of one performance at one instant; the four counts add up to its seats."""

    performance_id: PerformanceId
    free: int
    held: int
    sold: int
    blocked: int
    next_hold_ends_at: Instant | None

    @property
    def is_sold_out(self) -> bool:
        """Nothing is free, and nothing is held that could come back."""
        return self.free == 0 and self.held == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The claimed seats of one performance as of *as_of*; a seat not named is free."""

    performance_id: PerformanceId
    as_of: Instant
    states: Mapping[SeatId, SeatState]
    next_hold_ends_at: Instant | None
