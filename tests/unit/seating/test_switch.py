import asyncio

import pytest

from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import PerformanceId
from stagedoor.kernel.sale_state import SaleState, mildest, strictest
from stagedoor.seating.switch import ALL_OPEN, ReadSwitches, SaleSwitches, SwitchBook, SwitchDesk, TurnSwitch

PLAY, OPERA = PerformanceId(1), PerformanceId(2)
OPEN, FINISH, STOPPED = SaleState


class Switches(SwitchBook, SwitchDesk):
    """What is stored; nothing can be read while it is out."""

    def __init__(self) -> None:
        self.stored = ALL_OPEN
        self.is_out = False

    async def all(self) -> SaleSwitches:
        if self.is_out:
            raise Fault("out")
        return SaleSwitches(everywhere=self.stored.everywhere, of_performance=dict(self.stored.of_performance))

    async def turn(self, state: SaleState, performance_id: PerformanceId | None, *, actor: str) -> None:
        del actor
        self.stored = self.stored.turned(state, performance_id)


@pytest.mark.parametrize(
    ("everywhere", "own", "holds"),
    [
        (OPEN, OPEN, OPEN),
        (OPEN, FINISH, FINISH),
        (OPEN, STOPPED, STOPPED),
        (FINISH, OPEN, FINISH),
        (FINISH, STOPPED, STOPPED),
        (STOPPED, OPEN, STOPPED),
        (STOPPED, FINISH, STOPPED),
    ],
)
def test_of_two_switches_the_stricter_holds(everywhere: SaleState, own: SaleState, holds: SaleState) -> None:
    switches = SaleSwitches(everywhere=everywhere, of_performance={PLAY: own})

    assert switches.state_of(PLAY) is holds
    assert switches.state_of(OPERA) is everywhere
    assert strictest(everywhere, own) is strictest(own, everywhere) is holds


def test_the_mildest_of_several() -> None:
    assert mildest([STOPPED, FINISH], default=OPEN) is FINISH
    assert mildest([STOPPED, OPEN], default=STOPPED) is OPEN
    assert mildest([], default=FINISH) is FINISH


async def test_what_was_read_last_holds_while_nothing_can_be_read() -> None:
    stored = Switches()
    switches = ReadSwitches(stored)
    await stored.turn(STOPPED, None, actor="ann")
    await switches.refresh()

    stored.is_out = True
    with pytest.raises(Fault, match="out"):
        await switches.refresh()

    assert switches.now().everywhere is STOPPED


async def test_nothing_that_is_read_again_looks_turned() -> None:
    stored = Switches()
    await stored.turn(FINISH, PLAY, actor="ann")
    switches = ReadSwitches(stored)
    await switches.refresh()
    before = switches.now()

    await switches.refresh()

    assert switches.now() is before


async def test_whoever_turns_it_goes_by_it_at_once() -> None:
    stored = Switches()
    switches = ReadSwitches(stored)

    told = await TurnSwitch(desk=stored, switches=switches).turn(STOPPED, PLAY, actor="ann")

    assert told.state_of(PLAY) is switches.now().state_of(PLAY) is STOPPED


async def test_what_is_turned_is_turned_even_if_it_cannot_be_read_back() -> None:
    stored = Switches()
    switches = ReadSwitches(stored)
    stored.is_out = True

    told = await TurnSwitch(desk=stored, switches=switches).turn(STOPPED, None, actor="ann")

    assert told.everywhere is switches.now().everywhere is stored.stored.everywhere is STOPPED
    told = await TurnSwitch(desk=stored, switches=switches).turn(FINISH, PLAY, actor="ann")
    assert (told.everywhere, told.of_performance) == (STOPPED, {PLAY: FINISH})


async def test_it_is_in_force_while_it_is_still_read_back() -> None:
    stored, being_read = Switches(), asyncio.Event()

    class Slow(SwitchBook):
        async def all(self) -> SaleSwitches:
            being_read.set()
            await asyncio.Event().wait()
            raise AssertionError

    switches = ReadSwitches(Slow())
    turning = asyncio.ensure_future(TurnSwitch(desk=stored, switches=switches).turn(STOPPED, None, actor="ann"))
    await being_read.wait()

    assert switches.now().everywhere is STOPPED
    turning.cancel()


def test_a_performance_that_is_opened_again_has_no_switch_of_its_own() -> None:
    stopped = ALL_OPEN.turned(STOPPED, PLAY).turned(FINISH, OPERA)

    assert stopped.turned(OPEN, PLAY) == SaleSwitches(of_performance={OPERA: FINISH})


async def test_a_reading_that_began_before_the_turn_does_not_turn_it_back() -> None:
    stored = Switches()
    switches = ReadSwitches(stored)
    take = switches.reading()
    read_before = await stored.all()

    told = await TurnSwitch(desk=stored, switches=switches).turn(STOPPED, None, actor="ann")
    take(read_before)

    assert told.everywhere is switches.now().everywhere is STOPPED
    switches.reading()(ALL_OPEN)
    assert switches.now() is ALL_OPEN
