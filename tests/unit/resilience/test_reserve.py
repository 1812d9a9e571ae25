"""A reserve is touched below its bound, and whole again only well above it."""

import pytest

from stagedoor.resilience.reserve import NearlyFull, Reserve, Space

GB = 10**9


def a_reserve(*, percent: float = 5, bytes_max: int = GB) -> Reserve:
    return Reserve(percent=percent, bytes_max=bytes_max)


def left(free: int, total: int = 10 * GB) -> Space:
    return Space(free=free, total=total)


@pytest.mark.parametrize(("total", "needed"), [(10 * GB, GB // 2), (20 * GB, GB), (500 * GB, GB)])
def test_it_is_the_percentage_or_the_bytes_whichever_is_less(total: int, needed: int) -> None:
    reserve = a_reserve()

    assert reserve.needed(total) == needed
    reserve.observe(left(needed, total))
    assert not reserve.is_touched
    reserve.observe(left(needed - 1, total))
    assert reserve.is_touched


def test_without_bytes_the_percentage_alone_counts() -> None:
    reserve = Reserve(percent=5, bytes_max=None)

    assert reserve.needed(500 * GB) == 25 * GB


def test_a_write_that_found_no_room_touches_it_until_the_next_look() -> None:
    reserve = a_reserve()

    told = [reserve.fill(), reserve.fill()]

    assert told == [True, False]
    with pytest.raises(NearlyFull):
        reserve.spare()
    assert reserve.observe(left(624 * GB // 1_000)) is False
    assert reserve.observe(left(625 * GB // 1_000)) is True
    reserve.spare()


@pytest.mark.parametrize("none", [{"percent": 0.0}, {"bytes_max": 0}])
def test_none_asked_for_is_never_touched(none: dict[str, int]) -> None:
    reserve = a_reserve(**none)

    assert not reserve.observe(left(0))
    reserve.spare()


def test_it_is_whole_again_only_with_a_quarter_more_than_it_takes() -> None:
    reserve = a_reserve()

    told = [reserve.observe(left(free * GB // 1_000)) for free in (501, 499, 501, 624, 625, 501, 499)]

    assert told == [False, True, False, False, True, False, True]


def test_nothing_is_begun_while_it_is_touched() -> None:
    reserve = a_reserve()
    reserve.spare()
    reserve.observe(left(1))

    with pytest.raises(NearlyFull) as fault:
        reserve.spare()

    assert fault.value.retry_after_ms == 10_000
