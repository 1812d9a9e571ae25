"""The rows a batch of the sale is decided on, and the writes it comes to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stagedoor.checkout.outcomes import Receipt
from stagedoor.holds.model import Hold
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId, HoldId, OrderId, PerformanceId, PlaceRef, RoomId, SeatId
from stagedoor.kernel.money import Won
from stagedoor.seating.model import ClaimState
from stagedoor.wallet.model import Transfer

KeyScope = tuple[BuyerId, str, str]
"""Buyer, call, key: what an idempotency key is unique within."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnSale:
    """What deciding needs of a performance."""

    id: PerformanceId
    room_id: RoomId
    ends_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedSeat:
    """What deciding needs of a seat."""

    id: SeatId
    performance_id: PerformanceId
    price_won: Won


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """
    One claimed seat.

    SOLD and BLOCKED are held until `FOREVER`, so that one predicate serves all:
    a seat can be claimed when it has no claim, or one with `held_until <= now`.
    *hold_id* is None for a blocked seat.
    """

    seat_id: SeatId
    performance_id: PerformanceId
    hold_id: HoldId | None
    state: ClaimState
    held_until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """What a known idempotency key was first answered."""

    fingerprint: str
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A paid hold."""

    id: OrderId
    hold_id: HoldId
    buyer_id: BuyerId
    performance_id: PerformanceId
    amount_won: Won
    paid_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleRows:
    """
    Everything a batch needs, read and locked at *now* (the store's clock).

    *balances* has every buyer of the batch who is a member. *holds* has the
    holds named and, of every buyer of the batch, what is open or paid and what
    she let go less than the policy's minute ago. *seats* has the seats asked
    for, *claims* theirs and those of the holds named. *closed_places* has those
    of the places named that are closed. *key_counts* has, for each buyer with a
    key in the batch, how many she has stored.

    *unsold* has, of each performance in which somebody may be refused a seat,
    how many seats are neither sold nor blocked. It may be less than the truth as
    long as it is more than this batch could sell.
    """

    now: Instant
    balances: Mapping[BuyerId, Won] = field(default_factory=dict)
    performances: Mapping[PerformanceId, OnSale] = field(default_factory=dict)
    seats: Mapping[SeatId, PricedSeat] = field(default_factory=dict)
    claims: Mapping[SeatId, Claim] = field(default_factory=dict)
    holds: Mapping[HoldId, Hold] = field(default_factory=dict)
    closed_places: frozenset[PlaceRef] = frozenset()
    keys: Mapping[KeyScope, StoredKey] = field(default_factory=dict)
    key_counts: Mapping[BuyerId, int] = field(default_factory=dict)
    unsold: Mapping[PerformanceId, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyToStore:
    """One idempotency key with the answer it stands for."""

    buyer_id: BuyerId
    call: str
    key: IdempotencyKey
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopCredit:
    """A charge that an operator made, for the record that nobody can change."""

    transfer: Transfer
    by_shop: str


@dataclass(slots=True, kw_only=True)
class SaleWrites:
    """
    What a batch comes to; each collection is written in one set-based statement.

    *claims* is the final claim of each seat touched, None where it is free
    again; *claims_before* what was loaded of those seats. *holds_opened* are
    new, *holds_ended* have their new state and `ended_at`; a hold may be in
    both. *balances* are the final ones, *balances_before* what was loaded. What
    was loaded is repeated by the write as its predicate.
    """

    now: Instant
    claims: dict[SeatId, Claim | None] = field(default_factory=dict)
    claims_before: dict[SeatId, Claim] = field(default_factory=dict)
    holds_opened: dict[HoldId, Hold] = field(default_factory=dict)
    holds_ended: dict[HoldId, Hold] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    balances: dict[BuyerId, Won] = field(default_factory=dict)
    balances_before: dict[BuyerId, Won] = field(default_factory=dict)
    closed_places: set[PlaceRef] = field(default_factory=set)
    keys: list[KeyToStore] = field(default_factory=list)
    events: list[DomainEvent] = field(default_factory=list)
    credits: list[ShopCredit] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether the batch changes nothing (all refused or replayed)."""
        # Whatever a command changes, it tells (event), moves (transfer) or stores (key).
        return not (self.events or self.transfers or self.keys)
