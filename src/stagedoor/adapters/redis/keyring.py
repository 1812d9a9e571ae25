"""The idempotency keys of joins and ends, a buyer's in one piece: an end's goes with its entry, a join's after it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from stagedoor.adapters.line_keys import KeyRing, KeyScope, StoredKey
from stagedoor.adapters.redis.line_store import Renewal
from stagedoor.adapters.redis.replica import Replica
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId, PlaceRef, QueueNumber, RoomId
from stagedoor.waiting_room.model import PlaceState


class _Key(NamedTuple):
    call: str
    value: str
    fingerprint: str
    number: int
    state: int
    position: int
    stored_at: int


_BEGINNING = Instant(0)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Key]).decode


class StoredKeys:
    """What is stored of some buyers' keys, as a ring that a batch decides by."""

    def __init__(
        self,
        packed: Mapping[BuyerId, bytes | None],
        room_id: RoomId,
        *,
        kept_since: Instant = _BEGINNING,
        now: Instant = _BEGINNING,
    ) -> None:
        """Know keys stored after *kept_since*; what the batch stores is stored at *now*."""
        self._now = now
        self._packed = packed
        self._kept = {buyer_id: _kept(keys, kept_since) for buyer_id, keys in packed.items()}
        self.ring = KeyRing(counts=Counter({buyer_id: len(keys) for buyer_id, keys in self._kept.items()}))
        for buyer_id, keys in self._kept.items():
            for key in keys:
                ref = PlaceRef(room_id, QueueNumber(key.number))
                stored = StoredKey(key.fingerprint, ref, PlaceState(key.state), key.position)
                self.ring.known[KeyScope(buyer_id, key.call, key.value)] = stored

    def is_ahead_of(self, replica: Replica) -> bool:
        """Whether a key names a place of which *replica* has not read yet."""
        last = replica.state.columns.last_number
        return any(stored.ref.number > last for stored in self.ring.known.values())

    def changed(self) -> Sequence[Renewal]:
        """Return, of the buyers whose keys the batch has added to, all their keys."""
        by_buyer: dict[BuyerId, list[_Key]] = {}
        for scope, stored in self.ring.fresh.items():
            keys = by_buyer.setdefault(scope.buyer_id, [*self._kept[scope.buyer_id]])
            keys.append(
                _Key(
                    scope.call,
                    scope.value,
                    stored.fingerprint,
                    stored.ref.number,
                    stored.state.value,
                    stored.position,
                    self._now,
                )
            )
        return [Renewal(buyer_id, self._packed[buyer_id] or b"", _encode(keys)) for buyer_id, keys in by_buyer.items()]


class Thinned(NamedTuple):
    """What is left of some buyers' keys, and how many were dropped."""

    left: Sequence[Renewal]
    dropped: int


def thinned(packed: Mapping[BuyerId, bytes], stored_before: Instant, *, limit: int) -> Thinned:
    """Drop at most *limit* of the keys stored before *stored_before*."""
    left: list[Renewal] = []
    dropped = 0
    for buyer_id, keys in packed.items():
        all_keys = _decode(keys)
        kept = [key for key in all_keys if key.stored_at >= stored_before]
        if len(kept) < len(all_keys) and dropped + len(all_keys) - len(kept) <= limit:
            left.append(Renewal(buyer_id, keys, _encode(kept) if kept else b""))
            dropped += len(all_keys) - len(kept)
    return Thinned(left, dropped)


def named(packed: Sequence[bytes | None], stored_since: Instant) -> frozenset[int]:
    """Return the numbers of the places that keys stored at *stored_since* or later name."""
    return frozenset(
        key.number for keys in packed if keys is not None for key in _decode(keys) if key.stored_at >= stored_since
    )


def _kept(packed: bytes | None, kept_since: Instant) -> Sequence[_Key]:
    return [] if not packed else [key for key in _decode(packed) if key.stored_at > kept_since]
