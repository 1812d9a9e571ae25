"""Each cell of the matrix is played: nothing is late, nothing is lost."""

import pytest

from stagedoor.resilience.breaker import ON_SALE
from tests.outage.matrix import CELLS, OK, UNAVAILABLE, Kind, Stage, play
from tests.simulation.test_deadlines import CHANGE_S

WAIT_S = ON_SALE.wait_duration_in_open_state_ms / 1_000


@pytest.mark.parametrize(("kind", "stage"), CELLS, ids=lambda value: value.name.lower())
def test_a_cell(kind: Kind, stage: Stage) -> None:
    cell = play(kind, stage)

    assert cell.wrong == []
    assert cell.late == []
    assert cell.answers.keys() <= {OK, UNAVAILABLE}
    assert cell.reached_while_open == 0
    # A trial call that hangs may take as long as anybody waits for it.
    assert cell.recovery_s <= WAIT_S + CHANGE_S
