"""One run: a floor for all rows, a house for those that share it, a server of its own for each row."""

import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from scripts.bench import CONNECTIONS
from scripts.bench.calls import floor_of
from scripts.bench.cores import Cores
from scripts.bench.engines import running
from scripts.bench.goals import Goal
from scripts.bench.house import House, Plan, build
from scripts.bench.report import Report, figures_of, guard_figures_of
from scripts.bench.rounds import Call, Measured, measure
from scripts.bench.rows import GUARD_ROWS, ROWS, Row
from scripts.bench.served import FLOOR, PRODUCT, UNGUARDED, Served, served
from scripts.bench.stage import Size, Stage

FLOOR_ROW = "floor"
FLOOR_ANSWER_BYTES = 150
"""About what a poll is answered with."""

GUARD_PAIRS_TIMES = 3
"""With and without guards a server differs by some hundredths: a median of few pairs would tell of the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Rows measured beside the floor, and rows measured beside the same server without its guards."""

    rows: Sequence[Row]
    guard_rows: Sequence[Row] = ()

    @property
    def names(self) -> Sequence[str]:
        """What may be measured, the floor itself included."""
        return (FLOOR_ROW, *(row.name for row in (*self.rows, *self.guard_rows)))


EMBEDDED = Profile(rows=ROWS, guard_rows=GUARD_ROWS)


@dataclass(slots=True, kw_only=True)
class Run:
    """Measures rows of *profile* in *folder*, and keeps what came of them."""

    size: Size
    cores: Cores
    folder: Path
    profile: Profile = EMBEDDED
    report: Report = field(default_factory=Report)
    _houses: dict[Plan, House] = field(default_factory=dict)

    @property
    def setting(self) -> str:
        """How all rows are measured, in a line."""
        pairs = f"{self.size.pairs} pairs of {self.size.seconds} s a row"
        if self.profile.guard_rows:
            pairs += f", {GUARD_PAIRS_TIMES} times as many for a guard"
        return f"{pairs}, {CONNECTIONS} connections for each process; {self.cores}."

    def rows(self, names: Collection[str]) -> None:
        """Measure the rows with these *names*. Raises `VoidError`, `NotServedError`, `WrkFailedError`."""
        note(self.setting)
        with served(FLOOR, cores=self.cores, log=self.folder / "floor.log") as floor:
            if FLOOR_ROW in names:
                self._floor(floor)
            for row in self.profile.rows:
                if row.name in names:
                    self._row(row, floor)
        for row in self.profile.guard_rows:
            if row.name in names:
                self._guard_row(row)

    def _floor(self, floor: Served) -> None:
        """Measure the floor beside itself: how far its ratio is from 1 is how much the machine makes of nothing."""
        call = floor_of(FLOOR_ANSWER_BYTES, server=floor, cores=self.cores, folder=self.folder)
        self._measure(FLOOR_ROW, beside=call, call=call, goal=None)

    def _measure(self, name: str, *, beside: Call, call: Call, goal: Goal | None) -> Measured:
        measured = measure(beside, call, pairs=self.size.pairs, seconds=self.size.seconds, note=note)
        self.report.add(name, figures_of(measured), goal)
        return measured

    def _row(self, row: Row, floor: Served) -> None:
        with self._stage(row, self.size) as stage:
            call, answer_bytes = row.call(stage)
            beside = floor_of(answer_bytes, server=floor, cores=self.cores, folder=stage.folder, beside=stage.server)
            measured = self._measure(row.name, beside=beside, call=call, goal=row.goal)
            for after in row.after:
                for extra in after(stage, call, measured):
                    self.report.add(extra.name, extra.figures, extra.goal)
        shutil.rmtree(stage.folder)

    def _guard_row(self, row: Row) -> None:
        """Measure the row's call beside the same server without its guards: each has a house of its own."""
        size = replace(self.size, pairs=GUARD_PAIRS_TIMES * self.size.pairs)
        with self._stage(row, size) as guarded, self._stage(row, size, UNGUARDED, "unguarded") as unguarded:
            (call, _), (beside, _) = row.call(guarded), row.call(unguarded)
            measured = measure(beside, call, pairs=size.pairs, seconds=size.seconds, note=note)
            self.report.add(row.name, guard_figures_of(measured), row.goal)
        for stage in (guarded, unguarded):
            shutil.rmtree(stage.folder)

    @contextmanager
    def _stage(self, row: Row, size: Size, program: Sequence[str] = PRODUCT, suffix: str = "") -> Iterator[Stage]:
        """Serve the row's house with *program* for as long as it is measured."""
        folder = self.folder / f"{row.name}{suffix}"
        if row.setup is None:
            house = self._house(row.plan(size))
            log = house.copied_to(folder) / "server.log"
            with served(program, cores=self.cores, settings=house.settings, log=log) as server:
                yield Stage(house=house, server=server, cores=self.cores, size=size, folder=folder)
            return
        with running(row.setup, self.cores) as engines:
            self.report.remarks[row.name] = engines.said
            house = _built(row.plan(size), folder, engines.settings)
            cores, log = row.setup.cores(self.cores), folder / "server.log"
            with served(program, cores=cores, settings=house.settings, log=log, engines=engines) as server:
                yield Stage(house=house, server=server, cores=cores, size=size, folder=folder)

    def _house(self, plan: Plan) -> House:
        if plan not in self._houses:
            self._houses[plan] = _built(plan, self.folder / f"house-{len(self._houses)}-{plan.name}")
        return self._houses[plan]


def _built(plan: Plan, folder: Path, engines: Mapping[str, str] | None = None) -> House:
    note(f"making a house with {plan.inside:,} inside and {plan.waiting:,} waiting")
    return build(plan, folder, engines)


def note(sentence: str) -> None:
    """Tell whoever waits what goes on."""
    print(sentence, file=sys.stderr, flush=True)
