"""Unguessable numbers without a system call for each: an order takes five of them."""

import secrets

POOL_BYTES = 4_096


class PooledBits:
    """
    `secrets.randbits`, drawn from a pool that the operating system fills.

    Every byte of the pool is given out once. Neither for several threads nor
    for a process that forks.
    """

    def __init__(self) -> None:
        """Begin with an empty pool."""
        self._pool = b""
        self._used = 0

    def __call__(self, bits: int) -> int:
        """Return an integer of at most *bits* bits, from 1 to 8 times the pool's size."""
        size = (bits + 7) >> 3
        assert 0 < size <= POOL_BYTES
        start, end = self._used, self._used + size
        if end > len(self._pool):
            self._pool = secrets.token_bytes(POOL_BYTES)
            start, end = 0, size
        self._used = end
        return int.from_bytes(self._pool[start:end]) >> ((size << 3) - bits)
