"""The sale's stop switch: one for everything, one for each performance; the stricter of the two holds."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import PerformanceId
from stagedoor.kernel.sale_state import SaleState, strictest


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleSwitches:
    """What every switch says. A performance without one of its own follows *everywhere*."""

    everywhere: SaleState = SaleState.OPEN
    of_performance: Mapping[PerformanceId, SaleState] = field(default_factory=dict)

    def state_of(self, performance_id: PerformanceId) -> SaleState:
        """Return how much of the performance's sale goes on."""
        own = self.of_performance.get(performance_id)
        return self.everywhere if own is None else strictest(self.everywhere, own)

    def turned(self, state: SaleState, performance_id: PerformanceId | None) -> "SaleSwitches":
        """Return what they say once the switch of the performance, with None the one for everything, is in *state*."""
        if performance_id is None:
            return replace(self, everywhere=state)
        others = {id_: own for id_, own in self.of_performance.items() if id_ != performance_id}
        own = {} if state is SaleState.OPEN else {performance_id: state}
        return replace(self, of_performance=others | own)


ALL_OPEN: Final = SaleSwitches()


class SwitchBook(Protocol):
    """The stored switches."""

    async def all(self) -> SaleSwitches:
        """Return what every switch says. Raises `Fault`."""
        ...


class SwitchDesk(Protocol):
    """Where operators turn the switches."""

    async def turn(self, state: SaleState, performance_id: PerformanceId | None, *, actor: str) -> None:
        """
        Turn the switch of the performance, or with None the one for everything; audited with it.

        A sale goes by it within a second, in every process. Turning it to where it is changes
        nothing, and is audited all the same. Raises `UnknownPerformance` and `Fault`.
        """
        ...


class ReadSwitches:
    """
    The switches as this process last read them.

    While they cannot be read, the last reading holds: a stopped sale does not open because a
    database is out.
    """

    def __init__(self, book: SwitchBook) -> None:
        """Take everything for open before the first reading."""
        self._book = book
        self._now = ALL_OPEN
        self._begun = 0
        self._taken = 0

    async def refresh(self) -> None:
        """Read the switches again. Raises `Fault`."""
        take = self.reading()
        take(await self._book.all())

    def reading(self) -> Callable[[SaleSwitches], None]:
        """
        Begin a reading; return what has this process go by what it says.

        One that began before another that was taken already says nothing new: a switch may have been turned since.
        """
        self._begun += 1
        begun = self._begun

        def take(read: SaleSwitches) -> None:
            if begun < self._taken:
                return
            self._taken = begun
            if read != self._now:
                self._now = read

        return take

    def now(self) -> SaleSwitches:
        """Return what the switches say: the same object until one is turned."""
        return self._now


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSwitch:
    """Turns a switch, and has this process go by it at once."""

    desk: SwitchDesk
    switches: ReadSwitches

    async def turn(self, state: SaleState, performance_id: PerformanceId | None, *, actor: str) -> SaleSwitches:
        """Return what the switches say then. Raises `UnknownPerformance` and `Fault`: then nothing was turned."""
        await self.desk.turn(state, performance_id, actor=actor)
        # It is turned, and in force from here on, however long it takes to be read back with what others have turned.
        self.switches.reading()(self.switches.now().turned(state, performance_id))
        with contextlib.suppress(Fault):
            await self.switches.refresh()
        return self.switches.now()
