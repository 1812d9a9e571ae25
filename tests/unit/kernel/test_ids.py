"""Ids: what they share, what they do not, and that they fit."""

from random import Random

from stagedoor.kernel.clock import DAY_MS, HOUR_MS, Instant, ManualClock
from stagedoor.kernel.ids import ID_RANDOM_BITS, WIRE_ID_MAX, new_ids, unguessable

NOON = Instant(1_798_859_045_678)


def all_ones(bits: int) -> int:
    return (1 << bits) - 1


def test_ids_are_positive_and_fit_a_json_number_at_any_time() -> None:
    for at in range(0, DAY_MS, 997):
        assert unguessable(lambda _: 0, Instant(at)) > 0
        assert unguessable(all_ones, Instant(at)) <= WIRE_ID_MAX
    assert unguessable(lambda _: 0, Instant(0)) == 1


def test_ids_of_one_moment_lie_together_and_differ_in_all_their_other_bits() -> None:
    bits = Random(1).getrandbits
    new_id = new_ids(bits, ManualClock(NOON))

    ids = {new_id() for _ in range(1_000)}

    assert len(ids) == 1_000
    assert len({made >> ID_RANDOM_BITS for made in ids}) == 1
    # Each of the bits that are drawn is set in about half of them.
    for bit in range(ID_RANDOM_BITS):
        assert 400 < sum(made >> bit & 1 for made in ids) < 600


def test_over_an_hour_all_first_bits_are_used_alike() -> None:
    firsts = [unguessable(all_ones, Instant(NOON + at)) >> ID_RANDOM_BITS for at in range(0, HOUR_MS, 64)]

    assert len(set(firsts)) == 1 << (WIRE_ID_MAX.bit_length() - ID_RANDOM_BITS)
