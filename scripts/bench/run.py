"""One run: a floor for all rows, a house for those that share it, a server of its own for each row."""

import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bench.calls import floor_of
from scripts.bench.cores import Cores
from scripts.bench.goals import Goal
from scripts.bench.house import House, build
from scripts.bench.report import Report, figures_of
from scripts.bench.rounds import Call, Measured, measure
from scripts.bench.rows import ROWS, Row
from scripts.bench.served import FLOOR, PRODUCT, Served, served
from scripts.bench.stage import Size, Stage
from scripts.bench.wrk import CONNECTIONS

FLOOR_ROW = "floor"
FLOOR_ANSWER_BYTES = 150
"""About what a poll is answered with."""

NAMES = (FLOOR_ROW, *(row.name for row in ROWS))


@dataclass(slots=True, kw_only=True)
class Run:
    """Measures rows in *folder*, and keeps what came of them."""

    size: Size
    cores: Cores
    folder: Path
    report: Report = field(default_factory=Report)
    _houses: dict[str, House] = field(default_factory=dict)

    @property
    def setting(self) -> str:
        """How all rows are measured, in a line."""
        return f"{self.size.pairs} pairs of {self.size.seconds} s a row, {CONNECTIONS} connections; {self.cores}."

    def rows(self, names: Collection[str]) -> None:
        """Measure the rows with these *names*. Raises `VoidError`, `NotServedError`, `WrkFailedError`."""
        note(self.setting)
        with served(FLOOR, cores=self.cores, log=self.folder / "floor.log") as floor:
            if FLOOR_ROW in names:
                self._floor(floor)
            for row in ROWS:
                if row.name in names:
                    self._row(row, floor)

    def _floor(self, floor: Served) -> None:
        """Measure the floor beside itself: how far its ratio is from 1 is how much the machine makes of nothing."""
        call = floor_of(FLOOR_ANSWER_BYTES, server=floor, cores=self.cores, folder=self.folder)
        self._measure(FLOOR_ROW, beside=call, call=call, goal=None)

    def _measure(self, name: str, *, beside: Call, call: Call, goal: Goal | None) -> Measured:
        measured = measure(beside, call, pairs=self.size.pairs, seconds=self.size.seconds, note=note)
        self.report.add(name, figures_of(measured), goal)
        return measured

    def _row(self, row: Row, floor: Served) -> None:
        with self._stage(row) as stage:
            call, answer_bytes = row.call(stage)
            beside = floor_of(answer_bytes, server=floor, cores=self.cores, folder=stage.folder, beside=stage.server)
            measured = self._measure(row.name, beside=beside, call=call, goal=row.goal)
            for after in row.after:
                for extra in after(stage, call, measured):
                    self.report.add(extra.name, extra.figures, extra.goal)
        shutil.rmtree(stage.folder)

    @contextmanager
    def _stage(self, row: Row) -> Iterator[Stage]:
        """Serve a copy of the row's house for as long as it is measured."""
        house = self._house(row)
        folder = house.copied_to(self.folder / row.name)
        with served(PRODUCT, cores=self.cores, settings=house.plan.settings(), log=folder / "server.log") as server:
            yield Stage(house=house, server=server, cores=self.cores, size=self.size, folder=folder)

    def _house(self, row: Row) -> House:
        plan = row.plan(self.size)
        if plan.name not in self._houses:
            note(f"making a house with {plan.inside:,} inside and {plan.waiting:,} waiting")
            self._houses[plan.name] = build(plan, self.folder / f"house-{plan.name}")
        return self._houses[plan.name]


def note(sentence: str) -> None:
    """Tell whoever waits what goes on."""
    print(sentence, file=sys.stderr, flush=True)
