"""A hold refuses to be wrong, and ends at its deadline."""

import pytest

from stagedoor.holds.model import SEATS_PER_HOLD_MAX, HoldPolicy, HoldState
from stagedoor.kernel.clock import later
from tests.builders.sale import ANN, DEADLINE, NOON, a_hold


@pytest.mark.parametrize(("before_deadline_ms", "is_open"), [(1, True), (0, False), (-1, False)])
def test_the_deadline_is_exclusive(before_deadline_ms: int, *, is_open: bool) -> None:
    assert a_hold(ANN, 1).is_open_at(later(DEADLINE, -before_deadline_ms)) is is_open


@pytest.mark.parametrize("state", [HoldState.PAID, HoldState.RELEASED, HoldState.EXPIRED])
def test_what_has_ended_is_not_open(state: HoldState) -> None:
    assert not a_hold(ANN, 1, state=state).is_open_at(NOON)


def test_it_costs_what_its_seats_cost() -> None:
    assert a_hold(ANN, 1, 2, 3, price_won=7).amount_won == 21


@pytest.mark.parametrize("seat_count", [0, SEATS_PER_HOLD_MAX + 1])
def test_no_hold_without_seats_or_with_too_many(seat_count: int) -> None:
    with pytest.raises(AssertionError):
        a_hold(ANN, *range(seat_count))


def test_no_hold_that_ends_before_it_begins() -> None:
    with pytest.raises(AssertionError):
        a_hold(ANN, 1, expires_at=NOON)


@pytest.mark.parametrize("seats_per_buyer", [0, SEATS_PER_HOLD_MAX + 1])
def test_no_policy_that_no_hold_could_follow(seats_per_buyer: int) -> None:
    with pytest.raises(AssertionError):
        HoldPolicy(seats_per_buyer=seats_per_buyer)
