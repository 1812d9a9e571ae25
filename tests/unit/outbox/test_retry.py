"""How long a failed record waits."""

import pytest

from stagedoor.outbox.model import ATTEMPTS_MAX, retry_after_ms


@pytest.mark.parametrize(("attempts", "wait_ms"), [(1, 1_000), (2, 2_000), (6, 32_000), (7, 60_000), (10, 60_000)])
def test_twice_as_long_each_time_up_to_a_minute(attempts: int, wait_ms: int) -> None:
    assert retry_after_ms(attempts) == wait_ms


def test_it_is_parked_within_minutes() -> None:
    assert sum(retry_after_ms(attempts) for attempts in range(1, ATTEMPTS_MAX)) < 5 * 60_000


def test_what_never_failed_never_waits() -> None:
    with pytest.raises(AssertionError):
        retry_after_ms(0)
