"""The idempotency keys of joining and leaving: looked up in one read a batch, stored with what they named."""

from collections import Counter
from collections.abc import Collection

from sqlalchemy import Connection

from stagedoor.adapters.line_keys import KeyRing, KeyScope, StoredKey
from stagedoor.adapters.sql.buyers_keys import key_counts
from stagedoor.adapters.sql.sized import SizedQuery, listed
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.idempotency import KEY_KEPT_MS, KEYS_PER_BUYER_MAX
from stagedoor.kernel.ids import BuyerId, PlaceRef, QueueNumber, RoomId
from stagedoor.waiting_room.model import PlaceState

_LOOKUP_MAX = 5_000
"""Keys a statement; SQLite takes 32,766 values in one."""

_KEY_COUNTS = SizedQuery(key_counts(listed("buyer_ids")), "buyer_ids")


def read_keys(
    connection: Connection, scopes: Collection[KeyScope], now: Instant, kept_ms: int = KEY_KEPT_MS
) -> KeyRing:
    """Return what is known at *now* of the keys *scopes* and their buyers. A key is known for *kept_ms*."""
    ring = KeyRing()
    kept_since = now - kept_ms
    wanted = list(dict.fromkeys(scopes))
    for start in range(0, len(wanted), _LOOKUP_MAX):
        some = wanted[start : start + _LOOKUP_MAX]
        # CROSS JOIN keeps the order of the tables: each wanted key is looked up by the primary key.
        found = connection.exec_driver_sql(
            f"WITH wanted (buyer_id, call, value) AS (VALUES {_rows(len(some), 3)}) "  # noqa: S608 -- marks, no values
            "SELECT k.buyer_id, k.call, k.value, k.fingerprint, k.room_id, k.number, k.state, k.position FROM wanted "
            "CROSS JOIN line_key AS k USING (buyer_id, call, value) WHERE k.stored_at > ?",
            (*(part for scope in some for part in scope), kept_since),
        )
        for buyer_id, call, value, fingerprint, room_id, number, state, position in found:
            ref = PlaceRef(room_id=RoomId(room_id), number=QueueNumber(number))
            stored = StoredKey(fingerprint, ref, PlaceState(state), position)
            ring.known[KeyScope(BuyerId(buyer_id), call, value)] = stored
        ring.counts |= _counts(connection, {scope.buyer_id for scope in some}, kept_since)
    return ring


def write_keys(connection: Connection, keys: dict[KeyScope, StoredKey], at: Instant) -> bool:
    """
    Store *keys*, over those of the same scope that are no longer kept.

    Return whether no buyer has more than she may now: they were counted before
    the lock for writing was held, and the sale stores keys as well.
    """
    rows = [
        (*scope, stored.fingerprint, stored.ref.room_id, stored.ref.number, stored.state.value, stored.position, at)
        for scope, stored in keys.items()
    ]
    connection.exec_driver_sql(
        "INSERT OR REPLACE INTO line_key "
        "(buyer_id, call, value, fingerprint, room_id, number, state, position, stored_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    buyers = list({scope.buyer_id for scope in keys})
    return all(
        count <= KEYS_PER_BUYER_MAX
        for start in range(0, len(buyers), _LOOKUP_MAX)
        for count in _counts(connection, buyers[start : start + _LOOKUP_MAX], at - KEY_KEPT_MS).values()
    )


def key_is_written(connection: Connection, scope: KeyScope, at: Instant) -> bool:
    """Whether the key was stored at *at*: the proof of the transaction that stored it."""
    found = connection.exec_driver_sql(
        "SELECT 1 FROM line_key WHERE buyer_id = ? AND call = ? AND value = ? AND stored_at = ?", (*scope, at)
    )
    return found.first() is not None


def named_by_keys(
    connection: Connection, places: Collection[tuple[RoomId, int]], stored_since: Instant
) -> frozenset[tuple[RoomId, int]]:
    """Return those of *places* that a key stored at *stored_since* or later names."""
    wanted = list(places)
    named: set[tuple[RoomId, int]] = set()
    for start in range(0, len(wanted), _LOOKUP_MAX):
        some = wanted[start : start + _LOOKUP_MAX]
        found = connection.exec_driver_sql(
            f"WITH wanted (room_id, number) AS (VALUES {_rows(len(some), 2)}) "  # noqa: S608 -- marks, no values
            "SELECT k.room_id, k.number FROM wanted CROSS JOIN line_key AS k USING (room_id, number) "
            "WHERE k.stored_at >= ?",
            (*(part for place in some for part in place), stored_since),
        )
        named.update((RoomId(room_id), number) for room_id, number in found)
    return frozenset(named)


def has_keys_from_before(connection: Connection, instant: Instant) -> bool:
    """Whether there is a key stored before *instant*."""
    return (
        connection.exec_driver_sql("SELECT 1 FROM line_key WHERE stored_at < ? LIMIT 1", (instant,)).first() is not None
    )


def forget_keys(connection: Connection, stored_before: Instant, *, limit: int) -> int:
    """Delete at most *limit* keys stored before *stored_before*; return how many."""
    deleted = connection.exec_driver_sql(
        "DELETE FROM line_key WHERE (buyer_id, call, value) IN "
        "(SELECT buyer_id, call, value FROM line_key WHERE stored_at < ? LIMIT ?)",
        (stored_before, limit),
    )
    return deleted.rowcount


def _counts(connection: Connection, buyers: Collection[BuyerId], kept_since: int) -> Counter[BuyerId]:
    return Counter(dict(_KEY_COUNTS(connection, buyer_ids=list(buyers), since=kept_since)))


def _rows(rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return ", ".join([row] * rows)
