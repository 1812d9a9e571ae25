"""
The judge of growth: what was sampled at the beginning beside what was sampled at the end.

Under flapping faults every figure jumps: calls wait and pile up, connections
are made anew. What leaks lifts the floor under the jumps, so floors are
compared: the tenth part of the samples of a third that is lowest ends there.
The first third begins when everything has warmed up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

FLOOR = 0.1
PARTS = 3
SAMPLES_MIN = 6
"""In each third."""


class Sample(NamedTuple):
    """A figure of a process at one moment of the sale; *what* is a name in `LIMITS`."""

    at_s: float
    process: str
    what: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How much a floor may rise: by that *share* of what it was, or by *spare*, whichever is more."""

    share: float
    spare: float
    unit: str = ""

    def of(self, first: float) -> float:
        """Return how high the last floor may be if the first one was *first*."""
        return first + max(self.share * first, self.spare)


MEMORY, TASKS, FILES, THREADS = "memory", "tasks", "open files", "threads"
PERMITS, CONNECTIONS = "database permits in use", "connections"

LIMITS: Mapping[str, Limit] = {
    MEMORY: Limit(share=0.10, spare=12.0, unit=" MiB"),
    TASKS: Limit(share=0.0, spare=4.0),
    FILES: Limit(share=0.0, spare=8.0),
    THREADS: Limit(share=0.0, spare=2.0),
    PERMITS: Limit(share=0.0, spare=1.0),
    CONNECTIONS: Limit(share=0.0, spare=6.0),
}
"""
Open files are without the clients' connections. Memory may grow by what a sale
has to remember: places, passes, holds, orders.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What became of one figure of one process: the floors of the first and the last third, and *slope* a minute."""

    process: str
    what: str
    first: float
    last: float
    most: float
    slope: float

    @property
    def is_leak(self) -> bool:
        """Whether it grew by more than it may."""
        return self.last > LIMITS[self.what].of(self.first)


def growths(samples: Iterable[Sample], *, warm_up_s: float) -> list[Growth]:
    """Judge everything that was sampled, what was sampled too rarely too: that raises `ValueError`."""
    series: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        if sample.at_s >= warm_up_s:
            series.setdefault((sample.process, sample.what), []).append(sample)
    if not series:
        raise ValueError("nothing was sampled after everything had warmed up")
    return [_growth(process, what, some) for (process, what), some in series.items()]


def _growth(process: str, what: str, some: Sequence[Sample]) -> Growth:
    third = len(some) // PARTS
    if third < SAMPLES_MIN:
        raise ValueError(f"{len(some)} samples of {what} of {process} say nothing")
    return Growth(
        process=process,
        what=what,
        first=floor_of(some[:third]),
        last=floor_of(some[-third:]),
        most=max(sample.value for sample in some),
        slope=slope_a_minute(some),
    )


def floor_of(some: Sequence[Sample]) -> float:
    """Return what nine tenths of the samples are not below."""
    return sorted(sample.value for sample in some)[int(FLOOR * len(some))]


def slope_a_minute(some: Sequence[Sample]) -> float:
    """Return by how much the figure grows a minute, by least squares."""
    mean_at = sum(sample.at_s for sample in some) / len(some)
    mean = sum(sample.value for sample in some) / len(some)
    spread = sum((sample.at_s - mean_at) ** 2 for sample in some)
    return 60.0 * sum((sample.at_s - mean_at) * (sample.value - mean) for sample in some) / spread


def table(found: Sequence[Growth]) -> str:
    """Return a Markdown row for each figure."""
    lines = [
        "| process | what | floor of the first third | of the last | it may be | most | slope a minute | |",
        "|---|---|--:|--:|--:|--:|--:|---|",
    ]
    for one in found:
        limit = LIMITS[one.what]
        cells = [
            one.process,
            one.what,
            *(f"{value:.1f}{limit.unit}" for value in (one.first, one.last, limit.of(one.first), one.most)),
            f"{one.slope:+.2f}{limit.unit}",
            "**grows**" if one.is_leak else "holds",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
