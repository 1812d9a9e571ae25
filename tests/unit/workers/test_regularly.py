import pytest

from stagedoor.kernel.clock import GAP_MS, Instant, ManualClock
from stagedoor.kernel.errors import Fault
from stagedoor.workers.regularly import Regularly


class Tick:
    """Does three things, or fails."""

    def __init__(self) -> None:
        self.is_out = False

    async def __call__(self) -> int:
        if self.is_out:
            raise Fault("out")
        return 3


async def test_a_tick_is_late_when_it_did_not_go_well_for_so_long() -> None:
    clock, tick = ManualClock(Instant(1_000)), Tick()
    regularly = Regularly(tick, clock)
    done = await regularly()
    tick.is_out = True
    clock.advance(GAP_MS - 1)
    with pytest.raises(Fault):
        await regularly()
    not_yet = regularly.is_late

    clock.advance(1)

    assert (done, not_yet, regularly.is_late) == (3, False, True)
    tick.is_out = False
    await regularly()
    assert not regularly.is_late


async def test_before_the_first_tick_there_is_nothing_to_be_late() -> None:
    clock, tick = ManualClock(Instant(1_000)), Tick()
    regularly = Regularly(tick, clock)

    clock.advance(10 * GAP_MS)

    assert not regularly.is_late
    tick.is_out = True
    with pytest.raises(Fault):
        await regularly()
    clock.advance(GAP_MS)
    assert regularly.is_late
