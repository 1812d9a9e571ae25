"""A few evenings by chance, with faults: nothing that was answered turns out to be false. More of them: endurance."""

import pytest

from tests.simulation.run import simulate

STEPS = 100


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_that_was_answered_is_false(seed: int) -> None:
    outcome = simulate(seed, STEPS)

    assert outcome.contradictions == [], f"python -m tests.simulation --seed {seed} --steps {STEPS}"
    assert outcome.lives > 1
    assert outcome.happened["join: Joined"] > 10
    assert outcome.happened["no answer"] > 10


def test_an_evening_can_be_had_again() -> None:
    assert simulate(4, 40) == simulate(4, 40)
