"""A server whose door does not ask whether anything is free."""

from collections.abc import Sequence

from stagedoor.waiting_room.ports import Turn, TurnReport
from stagedoor.waiting_room.use_cases import AdmitNext
from tests.e2e.harness.removed_guard import replace, run


async def admit_regardless(tick: AdmitNext) -> Sequence[TurnReport]:
    """Take every room for one with free seats."""
    turns = [Turn(room=room, seats_free=True) for room in tick.rooms.all()]
    return await tick.line.turn(turns)


replace(AdmitNext, "admit", admit_regardless)
run()
