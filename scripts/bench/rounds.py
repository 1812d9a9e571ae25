"""A ratio is the median of interleaved pairs: floor, call, floor, call; or another server in the place of the floor."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from scripts.bench.paced import Ask
from scripts.bench.served import Served
from scripts.bench.wrk import Round

VOID_MAX = 3
"""So many rounds of a row, however many it has, may be void and be repeated; with the next one the run has failed."""


class VoidError(Exception):
    """Too many rounds of a row were void, so there is nothing to say about it."""


class Call(Protocol):
    """What can be called for a while."""

    name: str

    def round(self, seconds: int) -> Round:
        """Call it for so long and return what came of it, void or not."""
        ...

    def asks(self) -> Iterator[Ask]:
        """Yield one call at a time, going on where the last round stopped."""
        ...


@dataclass(slots=True, kw_only=True)
class Switched:
    """A *call* of a server whose guards are in for each round, or out."""

    name: str
    call: Call
    server: Served
    guards: bool

    def round(self, seconds: int) -> Round:
        """Call it for so long, once they are as they should be."""
        self.server.switch(guards=self.guards)
        return self.call.round(seconds)

    def asks(self) -> Iterator[Ask]:
        """Yield what the call asks."""
        return self.call.asks()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The sound rounds of one row: *others[i]*, of the floor or of another server, and *calls[i]* are a pair."""

    others: Sequence[Round]
    calls: Sequence[Round]
    voided: int = 0

    def __post_init__(self) -> None:
        """Every round has its pair."""
        assert len(self.others) == len(self.calls) > 0

    @property
    def ratios(self) -> Sequence[float]:
        """The call's rate as a share of the floor's, by pair."""
        return [call.rps / floor.rps for floor, call in zip(self.others, self.calls, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the pairs."""
        return median(self.ratios)

    @property
    def floor_rps(self) -> float:
        """The floor's own rate beside this call."""
        return median(floor.rps for floor in self.others)

    @property
    def cpu_ratio(self) -> float:
        """The floor's processor time as a share of the call's: *ratio*, as it is where nobody else uses the cores."""
        pairs = zip(self.others, self.calls, strict=True)
        return median(floor.cpu_us / call.cpu_us for floor, call in pairs)

    @property
    def floor_core_share(self) -> float:
        """Which part of its core the floor had."""
        return median(floor.core_share for floor in self.others)

    @property
    def client_share(self) -> float:
        """Which part of its core the client had while it called whichever of the two is faster."""
        return max(median(each.client_share for each in rounds) for rounds in (self.others, self.calls))

    def of_calls(self, figure: Callable[[Round], float]) -> float:
        """Return the median of *figure* over the rounds of the call."""
        return median(map(figure, self.calls))


def measure(other: Call, call: Call, *, pairs: int, seconds: int, note: Callable[[str], None]) -> Measured:
    """
    Measure *call* beside *other* in so many pairs, after a second of each that does not count.

    A void round is repeated, at most `VOID_MAX` in all. Raises `VoidError`. *note* is told what goes on.
    """
    voided = 0

    def sound(of: Call, lasting: int) -> Round:
        nonlocal voided
        while (came := of.round(lasting)).is_void:
            voided += 1
            note(f"{of.name}: a void round: {came.complaint()}")
            if voided > VOID_MAX:
                raise VoidError(f"{call.name}: {voided} rounds were void; the last: {came.complaint()}")
        return came

    others, calls = [], []
    for each in (other, call):
        sound(each, 1)
    for nth in range(1, pairs + 1):
        others.append(sound(other, seconds))
        calls.append(sound(call, seconds))
        note(f"{call.name}: pair {nth}: {calls[-1].rps:,.0f} beside {others[-1].rps:,.0f} a second")
    return Measured(others=others, calls=calls, voided=voided)
