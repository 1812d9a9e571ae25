"""The simulation finds a server out that lacks one of its guards."""

from contextlib import suppress

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.run import simulate

STEPS = 120
SEEDS = (9, *range(1, 9), *range(10, 60))
"""Nine first: it finds most of them. So many, because any change of the server makes other evenings of them."""


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_server_without_a_guard_is_found_out(mutant: str) -> None:
    assert any(is_found_out(mutant, seed) for seed in SEEDS)


def is_found_out(mutant: str, seed: int) -> bool:
    """Tell whether this evening shows it: by a contradiction, or in that only the server without its guard breaks."""
    with MUTANTS[mutant](), suppress(Exception):  # whatever it breaks over
        return bool(simulate(seed, STEPS).contradictions)
    return not simulate(seed, STEPS).contradictions
