import pytest

from stagedoor.kernel.errors import Fault
from stagedoor.waiting_room.model import PlaceState
from tests.builders.line import TICK_MS, a_ref
from tests.contract.line_record import unfair
from tests.contract.line_stage import Failing, Stage
from tests.contract.test_waiting_line_failures import *  # noqa: F403 -- the same suite, over the line of this folder
from tests.contract.test_waiting_line_failures import NOBODY_CAN_SAY


@pytest.mark.parametrize("failing", NOBODY_CAN_SAY)  # type: ignore[no-redef]  # instead of the other one
async def test_while_nobody_can_say_whether_she_was_admitted_nobody_says(stage: Stage, failing: Failing) -> None:
    """
    Here a poll tells what was last known, for a store that is lost must not leave a crowd without an answer.

    At the door nobody is turned away for it.
    """
    await stage.join(7, 8, 9)
    stage.failing = failing
    with pytest.raises(Fault):
        await stage.turn()

    with pytest.raises(Fault):
        await stage.line.look(a_ref(1))
    for number in (1, 3):
        await stage.line.settled(a_ref(number))
        place = stage.line.look_at_once(a_ref(number), telling=True)
        assert place is not None
        assert place.state is PlaceState.WAITING

    stage.failing = Failing.NOT
    await stage.turn(TICK_MS)
    assert await stage.states(1, 2, 3) == [PlaceState.ADMITTED, PlaceState.ADMITTED, PlaceState.WAITING]
    assert unfair(await stage.passes()) == []
