"""How large a run is, and where a row is measured."""

from dataclasses import dataclass
from pathlib import Path

from scripts.bench.cores import Cores
from scripts.bench.house import House
from scripts.bench.rounds import VOID_MAX
from scripts.bench.served import Served

WARM_UP_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """
    How large a run is: *pairs* of rounds of so many *seconds*, and lines so long.

    The smoke test is small in all of it.
    """

    pairs: int
    seconds: int
    crowd: int = 100_000
    million: int = 1_000_000

    @property
    def paced_s(self) -> int:
        """For how many seconds half of the peak lasts."""
        return 2 * self.seconds

    @property
    def rounds_s(self) -> int:
        """For how many seconds the rounds of a row last at most, with what does not count."""
        return WARM_UP_S + (self.pairs + VOID_MAX) * self.seconds

    @property
    def calling_s(self) -> int:
        """For how many seconds a row is called at most, with half of the peak."""
        return self.rounds_s + self.paced_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A server on a copy of *house*, and where a call may keep its files."""

    house: House
    server: Served
    cores: Cores
    size: Size
    folder: Path
