"""A million buyers from a million addresses: what the limits remember of them stops growing."""

import tracemalloc

import pytest

from stagedoor.http.buckets import Buckets
from stagedoor.http.client_address import ClientAddress
from stagedoor.http.limits import LimitedCall, LimitPolicy, Limits, TooManyRequests
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId

NOON = Instant(1_800_000_000_000)
POLICY = LimitPolicy(keys_max=2_000)
BYTES_A_KEY = 250


def ask(limits: Limits, count: int) -> int:
    """Join as so many buyers, each from an address of her own; return how often it was too often."""
    refused = 0
    for number in range(1, count + 1):
        address = ClientAddress(f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::/64")
        try:
            limits.take(LimitedCall.JOIN, buyer_id=BuyerId(number), address=address, now=NOON)
        except TooManyRequests:
            refused += 1
    return refused


def test_a_million_keys_are_not_all_remembered() -> None:
    buckets = Buckets[int](POLICY.join.buyer, keys_max=POLICY.keys_max)

    refused = sum(buckets.take(number, now=NOON) > 0 for number in range(1_000_000))

    assert len(buckets) == POLICY.keys_max
    # Beyond what is remembered of each, all the others share: so many at once are held back.
    assert refused == 1_000_000 - POLICY.keys_max - 1_000 * POLICY.join.buyer.burst


def test_what_is_remembered_is_small() -> None:
    limits = Limits(POLICY)

    tracemalloc.start()
    try:
        ask(limits, 10 * POLICY.keys_max)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert size < 2 * POLICY.keys_max * BYTES_A_KEY


def test_whoever_was_held_back_before_the_flood_is_held_back_after_it() -> None:
    limits = Limits(POLICY)
    attacker, home = BuyerId(2_000_001), ClientAddress("192.0.2.1")
    for _ in range(POLICY.join.buyer.burst):
        limits.take(LimitedCall.JOIN, buyer_id=attacker, address=home, now=NOON)

    ask(limits, 50_000)

    with pytest.raises(TooManyRequests):
        limits.take(LimitedCall.JOIN, buyer_id=attacker, address=home, now=NOON)
