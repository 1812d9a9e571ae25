"""The idempotency keys that a batch of joins or endings has to do with, wherever they are stored."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from stagedoor.kernel.idempotency import KEYS_PER_BUYER_MAX, IdempotencyKey, KeyReused
from stagedoor.kernel.ids import BuyerId, PlaceRef
from stagedoor.waiting_room.model import PlaceState

JOIN = "join"
LEAVE = "leave"


class KeyScope(NamedTuple):
    """What a key is unique in: a buyer may use the same value in another call, another buyer in the same."""

    buyer_id: BuyerId
    call: str
    value: str


class StoredKey(NamedTuple):
    """A key with the place it named the first time, and what was said of that place then."""

    fingerprint: str
    ref: PlaceRef
    state: PlaceState
    position: int


@dataclass(slots=True, kw_only=True)
class KeyRing:
    """
    The keys that a batch has to do with.

    *known* are those stored before; *counts* how many each of the buyers has, for whatever call.
    What the batch itself stores is known to what follows in it.
    """

    known: dict[KeyScope, StoredKey] = field(default_factory=dict)
    counts: Counter[BuyerId] = field(default_factory=Counter)
    fresh: dict[KeyScope, StoredKey] = field(default_factory=dict)

    def answered(self, buyer_id: BuyerId, call: str, key: IdempotencyKey) -> StoredKey | KeyReused | None:
        """Return what the key was answered before, None for a new key, `KeyReused` for one with another body."""
        stored = self.known.get(KeyScope(buyer_id, call, key.value))
        if stored is None:
            return None
        return stored if stored.fingerprint == key.fingerprint else KeyReused()

    def is_full(self, buyer_id: BuyerId) -> bool:
        """Whether the buyer has as many keys as one may."""
        return self.counts[buyer_id] >= KEYS_PER_BUYER_MAX

    def store(  # noqa: PLR0913, PLR0917 -- a row: what it is found by, and what it holds
        self, buyer_id: BuyerId, call: str, key: IdempotencyKey, ref: PlaceRef, state: PlaceState, position: int
    ) -> StoredKey:
        """Have the key stored with the batch, and what *ref* is answered to be."""
        scope = KeyScope(buyer_id, call, key.value)
        stored = self.known[scope] = self.fresh[scope] = StoredKey(key.fingerprint, ref, state, position)
        self.counts[buyer_id] += 1
        return stored
