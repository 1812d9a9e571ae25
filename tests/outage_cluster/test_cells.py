"""
Each cell of the matrix is played on real engines: nothing is lost, nothing reaches what is cut off, all comes back.

How long that takes is the machine's affair here; tests/proofs/outages.py holds a quiet one to it.
"""

from collections.abc import Mapping
from math import isfinite

import pytest

from tests.outage_cluster.cells import CELLS, Cell
from tests.outage_cluster.play import Played
from tests.outage_cluster.verdict import broken

CELLS_COUNT = 52


def test_there_are_as_many_cells_as_the_docs_tell_of() -> None:
    assert len(set(CELLS)) == CELLS_COUNT


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_cell(played: Mapping[Cell, Played], cell: Cell) -> None:
    one = played[cell]

    assert list(broken(one)) == []
    assert one.took
    assert isfinite(one.recovered_s)
