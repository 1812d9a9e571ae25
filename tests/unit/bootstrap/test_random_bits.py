import pytest

from stagedoor.bootstrap.random_bits import POOL_BYTES, PooledBits


@pytest.mark.parametrize("bits", [1, 7, 8, 53, 80])
def test_every_bit_is_random_and_none_is_beyond(bits: int) -> None:
    pooled = PooledBits()

    drawn = [pooled(bits) for _ in range(1_000)]

    assert max(drawn) < 1 << bits
    for bit in range(bits):
        # A fair coin shows one side less than 350 times in 1,000 once in 10^21 tries.
        assert 350 < sum(number >> bit & 1 for number in drawn) < 650


def test_no_byte_of_the_pool_is_given_out_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = iter([bytes(range(256)) * (POOL_BYTES // 256), b"\xff" * POOL_BYTES])
    monkeypatch.setattr("secrets.token_bytes", lambda size: next(pools)[:size])
    pooled = PooledBits()

    drawn = [pooled(24) for _ in range(POOL_BYTES // 3)]
    beyond = pooled(24)

    assert b"".join(number.to_bytes(3) for number in drawn) == (bytes(range(256)) * (POOL_BYTES // 256))[:-1]
    assert beyond == 0xFFFFFF
