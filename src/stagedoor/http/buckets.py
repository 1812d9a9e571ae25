"""
Token buckets, one for each of many keys, in bounded memory.

A bucket is forgotten only when it is full again, so being forgotten changes
nothing: no flood of other keys can reset a bucket that somebody has emptied.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from stagedoor.kernel.clock import Instant

Key = TypeVar("Key", bound=Hashable)

_LOOKED_AT_PER_NEW_KEY = 2
_SHARED = 1_000
_SECOND_US = 1_000_000
_MS_US = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """
    *burst* at once, and *per_second* after that.

    A bucket of *burst* tokens that fills at *per_second* tokens a second.
    """

    per_second: float
    burst: int

    def __post_init__(self) -> None:
        """Refuse a rate that lets nothing through."""
        assert self.per_second > 0
        assert self.burst >= 1


class Bucket:
    """
    The state of one bucket is the instant at which it will be full again.

    That instant is the "theoretical arrival time" of the generic cell rate
    algorithm (ITU-T I.371), here in whole microseconds.
    """

    __slots__ = ("_span_us", "_token_us")

    def __init__(self, rate: Rate) -> None:
        """Prepare the two figures that *rate* comes to."""
        self._token_us = max(1, round(_SECOND_US / rate.per_second))
        self._span_us = rate.burst * self._token_us

    def take(self, full_at_us: int, now_us: int) -> tuple[int, int]:
        """
        Take a token at *now_us* from a bucket that is full again at *full_at_us*.

        Return the bucket after it and 0, or the bucket as it was and in how
        many milliseconds there will be a token.
        """
        after_us = max(full_at_us, now_us) + self._token_us
        missing_us = after_us - now_us - self._span_us
        if missing_us > 0:
            return full_at_us, -(-missing_us // _MS_US)
        return after_us, 0


class Buckets(Generic[Key]):
    """
    A bucket for each key, all with the same rate.

    When *keys_max* buckets are not full, the keys beyond them share one
    bucket, a thousand times as large: they are neither free nor shut out.
    """

    def __init__(self, rate: Rate, *, keys_max: int) -> None:
        """Keep at most *keys_max* buckets of *rate*."""
        self._bucket = Bucket(rate)
        self._keys_max = keys_max
        self._full_at_us: dict[Key, int] = {}
        self._to_look_at: deque[Key] = deque()
        self._shared = Bucket(Rate(per_second=rate.per_second * _SHARED, burst=rate.burst * _SHARED))
        self._shared_full_at_us = 0

    def __len__(self) -> int:
        """How many buckets are kept."""
        return len(self._full_at_us)

    def take(self, key: Key, *, now: Instant) -> int:
        """Take a token from the bucket of *key*; return 0, or in how many milliseconds there will be one."""
        now_us = now * _MS_US
        known = self._full_at_us.get(key)
        if known is None:
            self._forget_full_ones(now_us)
            if len(self._full_at_us) >= self._keys_max:
                self._shared_full_at_us, wait_ms = self._shared.take(self._shared_full_at_us, now_us)
                return wait_ms
            self._to_look_at.append(key)
        self._full_at_us[key], wait_ms = self._bucket.take(known or 0, now_us)
        return wait_ms

    def wait_ms(self, key: Key, *, now: Instant) -> int:
        """Return what `take` would for a known key, 0 for another, and take nothing."""
        return self._bucket.take(self._full_at_us.get(key, 0), now * _MS_US)[1]

    def _forget_full_ones(self, now_us: int) -> None:
        """Look at the next two in turn: with two for each new key, forgetting outruns growing."""
        for _ in range(min(_LOOKED_AT_PER_NEW_KEY, len(self._to_look_at))):
            key = self._to_look_at.popleft()
            if self._full_at_us[key] <= now_us:
                del self._full_at_us[key]
            else:
                self._to_look_at.append(key)
