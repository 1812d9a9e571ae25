"""A hold: whose, which seats, at what price, until when; and the policy behind it."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from stagedoor.kernel.clock import MINUTE_MS, SECOND_MS, Instant
from stagedoor.kernel.ids import BuyerId, HoldId, PerformanceId, PlaceRef, SeatId
from stagedoor.kernel.money import Won

SEATS_PER_HOLD_MAX = 50


class HoldState(IntEnum):
    """
    What became of a hold. The values are stored; never renumber them.

    OPEN with a deadline in the past is expired, whether or not anything has
    said so yet.
    """

    OPEN = 1
    PAID = 2
    RELEASED = 3
    EXPIRED = 4


class ExtensionCause(StrEnum):
    """Why a deadline was moved later."""

    OUTAGE = "outage"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPolicy:
    """
    The rules for holds.

    *seats_per_buyer* counts held and bought seats of one performance. A seat
    let go is closed to the buyer who let it go for *closed_to_her_ms*.
    """

    hold_ms: int = 5 * MINUTE_MS
    seats_per_buyer: int = 4
    closed_to_her_ms: int = 60 * SECOND_MS

    def __post_init__(self) -> None:
        """Refuse what no hold could be placed under; input was checked at the edge."""
        assert self.hold_ms > 0
        assert 1 <= self.seats_per_buyer <= SEATS_PER_HOLD_MAX
        assert self.closed_to_her_ms >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSeat:
    """A seat in a hold, with the price of the moment it was held."""

    seat_id: SeatId
    price_won: Won


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """
    Seats kept for one buyer; *seats* are ordered by id.

    *ended_at* is when it was paid or released, or, once expired, its deadline.
    """

    id: HoldId
    buyer_id: BuyerId
    place: PlaceRef
    performance_id: PerformanceId
    seats: tuple[HeldSeat, ...]
    placed_at: Instant
    expires_at: Instant
    state: HoldState = HoldState.OPEN
    ended_at: Instant | None = None
    extended_ms: int = 0
    extension_cause: ExtensionCause | None = None

    def __post_init__(self) -> None:
        """Refuse a hold that cannot be."""
        assert 1 <= len(self.seats) <= SEATS_PER_HOLD_MAX
        assert self.placed_at < self.expires_at

    def is_open_at(self, now: Instant) -> bool:
        """
        Whether it can still be paid at *now*.

        The deadline is exclusive: a hold that expires at 12:05:00.000 can be
        paid at 12:04:59.999 and not at 12:05:00.000.
        """
        return self.state is HoldState.OPEN and now < self.expires_at

    @property
    def seat_ids(self) -> frozenset[SeatId]:
        """The seats it keeps."""
        return frozenset(seat.seat_id for seat in self.seats)

    @property
    def amount_won(self) -> Won:
        """What it costs."""
        return Won(sum(seat.price_won for seat in self.seats))
