"""More evenings by chance, and longer ones: nothing that was answered is false."""

import pytest

from tests.simulation.run import simulate

STEPS = 150


@pytest.mark.parametrize("seed", range(1_001, 1_011))
def test_nothing_that_was_answered_is_false(seed: int) -> None:
    outcome = simulate(seed, STEPS)

    assert outcome.contradictions == [], f"python -m tests.simulation --seed {seed} --steps {STEPS}"
