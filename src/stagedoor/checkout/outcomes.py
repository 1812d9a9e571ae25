"""What the sale answers: a receipt, stored with an idempotency key so that it can be given again, or a rejection."""

from dataclasses import dataclass

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.ids import BuyerId, HoldId, OrderId, PerformanceId, PlaceRef, SeatId, TransferId
from stagedoor.kernel.money import Won


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReceipt:
    """The seats are kept until *expires_at*. *answered_at* is when this was first said."""

    hold_id: HoldId
    buyer_id: BuyerId
    performance_id: PerformanceId
    seat_ids: tuple[SeatId, ...]
    amount_won: Won
    placed_at: Instant
    expires_at: Instant
    answered_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseReceipt:
    """The seats are free again."""

    hold_id: HoldId
    released_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseReceipt:
    """The place takes no more holds; these were let go."""

    place: PlaceRef
    released: tuple[HoldId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReceipt:
    """The hold is paid. *place_over*: no other hold of hers was open, so her *place* is used up."""

    order_id: OrderId
    hold_id: HoldId
    place: PlaceRef
    amount_won: Won
    paid_at: Instant
    place_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletReceipt:
    """The balance after the charge."""

    transfer_id: TransferId
    balance_won: Won
    posted_at: Instant


Receipt = HoldReceipt | ReleaseReceipt | CloseReceipt | OrderReceipt | WalletReceipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The command took effect, or (*replayed*) had done so under the same key."""

    receipt: Receipt
    replayed: bool = False


Outcome = Settled | Rejection
