from collections.abc import Sequence

import pytest

from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import RoomId
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.breaker import CallNotPermitted, State
from stagedoor.waiting_room.ports import TurnReport
from stagedoor.workers.admit import AdmitCounted
from tests.builders.guards import a_breaker

IDLE = TurnReport(room_id=RoomId("main"), admitted=0, passed_over=0, ended=0)
THREE_IN = TurnReport(room_id=RoomId("main"), admitted=3, passed_over=0, ended=0)
ONE_OUT = TurnReport(room_id=RoomId("main"), admitted=0, passed_over=0, ended=1)


class Tick:
    """Admission whose turn comes to what it is told, once the supply was read."""

    def __init__(self, outcome: TurnReport | Fault) -> None:
        self.outcome = outcome
        self.reads = 0
        self.metrics = Metrics()
        self.guard = a_breaker(ManualClock(Instant(0)))
        self.tick = AdmitCounted(
            admit_next=self,
            refresh_supply=self._read,
            metrics=self.metrics,
            guard=self.guard,
        )

    async def _read(self) -> None:
        self.reads += 1

    async def admit(self) -> Sequence[TurnReport]:
        if isinstance(self.outcome, Fault):
            raise self.outcome
        return [self.outcome]

    def failures(self) -> float | None:
        return self.metrics.registry.get_sample_value("stagedoor_admission_failures_total")


@pytest.mark.parametrize(("outcome", "counted"), [(THREE_IN, 1), (ONE_OUT, 1), (IDLE, 0)])
async def test_a_tick_that_changed_something_counts(outcome: TurnReport, counted: int) -> None:
    night = Tick(outcome)

    admitted = await night.tick()

    assert admitted == outcome.admitted
    assert night.guard.snapshot().buffered_calls == counted


async def test_a_tick_that_failed_fails() -> None:
    night = Tick(Fault("gone"))

    with pytest.raises(Fault, match="gone"):
        await night.tick()

    assert night.guard.snapshot().failed_calls == 1
    assert night.failures() == 1


async def test_while_the_guard_is_open_nobody_is_let_in() -> None:
    night = Tick(THREE_IN)
    night.guard.transition_to(State.FORCED_OPEN)

    with pytest.raises(CallNotPermitted):
        await night.tick()

    assert night.reads == 0
    assert night.failures() == 1
