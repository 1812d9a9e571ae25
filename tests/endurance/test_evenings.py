"""More evenings by chance, and longer ones: nothing that was answered is false."""

from collections import Counter
from functools import cache

import pytest

from tests.simulation.run import Outcome, simulate

STEPS = 150
SEEDS = range(1_001, 1_011)


@cache
def evening(seed: int) -> Outcome:
    return simulate(seed, STEPS)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_that_was_answered_is_false(seed: int) -> None:
    assert evening(seed).contradictions == [], f"python -m tests.simulation --seed {seed} --steps {STEPS}"


@pytest.mark.parametrize("fault", ["Overloaded", "DatabaseFault"])
def test_the_evenings_have_the_faults_in_them_that_they_are_about(fault: str) -> None:
    happened = sum((evening(seed).happened for seed in SEEDS), Counter[str]())

    assert happened[f"no answer: {fault}"] > 0
