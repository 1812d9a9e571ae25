"""What can be asked of the sale. Every command carries the ids of what it may create, so a retry is safe."""

from dataclasses import dataclass

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId, HoldId, OrderId, PerformanceId, PlaceRef, SeatId, TransferId
from stagedoor.kernel.money import Won
from stagedoor.waiting_room.model import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceHold:
    """
    Keep *seat_ids* (distinct, at least one) for the buyer.

    *standing* and *session_ends_at* are what the line said of *place* when the
    command was made; the sale's own record of ended places has the last word.
    """

    hold_id: HoldId
    buyer_id: BuyerId
    place: PlaceRef
    standing: Standing
    session_ends_at: Instant | None
    performance_id: PerformanceId
    seat_ids: tuple[SeatId, ...]
    key: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseHold:
    """Let the seats of the buyer's hold go."""

    hold_id: HoldId
    buyer_id: BuyerId
    key: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePlace:
    """The buyer has left *place*: let its open holds go, and take no more under it."""

    buyer_id: BuyerId
    place: PlaceRef


@dataclass(frozen=True, slots=True, kw_only=True)
class PayForHold:
    """Turn the buyer's hold into a paid order: all of it, or none of it."""

    hold_id: HoldId
    buyer_id: BuyerId
    order_id: OrderId
    transfer_id: TransferId
    key: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeWallet:
    """Credit the buyer's wallet; *by_shop* names the operator, None where the buyer does it herself."""

    buyer_id: BuyerId
    amount_won: Won
    transfer_id: TransferId
    by_shop: str | None = None
    key: IdempotencyKey | None = None


KeyedCommand = PlaceHold | ReleaseHold | PayForHold | ChargeWallet
"""What a client asks for, and may name by an idempotency key."""

SaleCommand = KeyedCommand | ClosePlace
