"""A server that lets in whoever came last."""

from stagedoor.waiting_room.model import PlaceState
from stagedoor.waiting_room.turning import TurnPlan
from tests.e2e.harness.removed_guard import replace, run


def admit_the_last(plan: TurnPlan) -> None:
    """Admit as many as there is room for, from the back."""
    columns = plan.state.columns
    waiting = [row for row in range(len(columns)) if columns.states[row] == PlaceState.WAITING]
    room_for = max(0, plan.room.policy.max_active - len(plan.state.passes))
    for row in waiting[::-1][:room_for]:
        plan._admit(columns.first + row, returner=False)  # noqa: SLF001 -- the order is decided in there


replace(TurnPlan, "admit", admit_the_last)
run()
