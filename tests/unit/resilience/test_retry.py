"""Retries: never more than a tenth of the calls, and never in step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.resilience.retry import RetryBudget, pause_s


def test_at_first_some_are_saved() -> None:
    budget = RetryBudget(saved_max=3)

    assert [budget.may_retry() for _ in range(4)] == [True, True, True, False]


def test_ten_calls_earn_one_retry() -> None:
    budget = RetryBudget(saved_max=1)
    assert budget.may_retry()

    for _ in range(9):
        budget.call()
    assert not budget.may_retry()
    budget.call()

    assert budget.may_retry()
    assert not budget.may_retry()


def test_no_more_is_saved_than_may_be() -> None:
    budget = RetryBudget(saved_max=2)
    for _ in range(1_000):
        budget.call()

    assert [budget.may_retry() for _ in range(3)] == [True, True, False]


@given(st.lists(st.booleans(), max_size=300))
def test_whatever_comes_retries_are_a_tenth_and_what_was_saved(wants_retry: list[bool]) -> None:
    budget, calls, retries = RetryBudget(), 0, 0
    for wanted in wants_retry:
        budget.call()
        calls += 1
        retries += wanted and budget.may_retry()

    assert retries <= calls / 10 + 10


@pytest.mark.parametrize(("retry", "longest"), [(1, 0.025), (2, 0.05), (3, 0.1), (5, 0.4)])
def test_a_pause_is_anything_up_to_twice_as_long_each_time(retry: int, longest: float) -> None:
    def pause(random: float) -> float:
        return pause_s(retry, base_s=0.025, random=lambda: random)

    assert (pause(0.0), pause(0.5), pause(1.0)) == (0.0, longest / 2, longest)
