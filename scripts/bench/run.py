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
from scripts.bench.engines import Setup, running
from scripts.bench.goals import Goal
from scripts.bench.house import House, Plan, build
from scripts.bench.report import Report, compared_figures_of, figures_of
from scripts.bench.rounds import Call, Measured, Switched, measure
from scripts.bench.rows import PAIRS_TIMES, ROWS, Other, Row
from scripts.bench.served import FLOOR, PRODUCT, SWITCHED, Served, served
from scripts.bench.stage import Size, Stage

FLOOR_ROW = "floor"
FLOOR_ANSWER_BYTES = 150
"""About what a poll is answered with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What can be measured, beside the floor or beside another server."""

    rows: Sequence[Row]

    @property
    def names(self) -> Sequence[str]:
        """What may be measured, the floor itself included."""
        return (FLOOR_ROW, *(row.name for row in self.rows))


EMBEDDED = Profile(rows=ROWS)


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
        """How rows are measured, in a line."""
        return (
            f"{self.size.pairs} pairs of {self.size.seconds} s a row (beside another server as many as are said), "
            f"{CONNECTIONS} connections unless a row says otherwise; {self.cores}."
        )

    def rows(self, names: Collection[str]) -> None:
        """Measure the rows with these *names*. Raises `VoidError`, `NotServedError`, `WrkFailedError`."""
        note(self.setting)
        with served(FLOOR, cores=self.cores, log=self.folder / "floor.log") as floor:
            if FLOOR_ROW in names:
                self._floor(floor)
            for row in self.profile.rows:
                if row.name not in names:
                    continue
                if row.guards:
                    self._guards(row)
                elif row.other is None:
                    self._row(row, floor)
                else:
                    self._compared(row, row.other)

    def _floor(self, floor: Served) -> None:
        """Measure the floor beside itself: how far its ratio is from 1 is how much the machine makes of nothing."""
        call = floor_of(FLOOR_ANSWER_BYTES, server=floor, cores=self.cores, folder=self.folder)
        self._measure(FLOOR_ROW, beside=call, call=call, goal=None)

    def _measure(self, name: str, *, beside: Call, call: Call, goal: Goal | None) -> Measured:
        measured = measure(beside, call, pairs=self.size.pairs, seconds=self.size.seconds, note=note)
        self.report.add(name, figures_of(measured), goal)
        return measured

    def _row(self, row: Row, floor: Served) -> None:
        with self._stage(row, self.size, PRODUCT, row.setup) as stage:
            call, answer_bytes = row.call(stage)
            beside = floor_of(answer_bytes, server=floor, cores=self.cores, folder=stage.folder, beside=stage.server)
            measured = self._measure(row.name, beside=beside, call=call, goal=row.goal)
            for after in row.after:
                for extra in after(stage, call, measured):
                    self.report.add(extra.name, extra.figures, extra.goal)
        shutil.rmtree(stage.folder)

    def _guards(self, row: Row) -> None:
        """Measure the row's call with guards beside the same call without them, on one server."""
        size = replace(self.size, pairs=PAIRS_TIMES * self.size.pairs)
        with self._stage(row, replace(size, pairs=2 * size.pairs), SWITCHED, row.setup) as stage:
            call, _ = row.call(stage)
            without, guarded = (
                Switched(name=call.name, call=call, server=stage.server, guards=guards) for guards in (False, True)
            )
            measured = measure(without, guarded, pairs=size.pairs, seconds=size.seconds, note=note)
            self.report.add(row.name, compared_figures_of(measured), row.goal)
        shutil.rmtree(stage.folder)

    def _compared(self, row: Row, other: Other) -> None:
        """Measure the row's call beside the same call on the *other* server: each has a house of its own."""
        size = replace(self.size, pairs=other.pairs_times * self.size.pairs)
        with (
            self._stage(row, size, PRODUCT, row.setup) as stage,
            self._stage(row, size, PRODUCT, other.setup, "-other") as beside,
        ):
            calls = [row.call(each)[0] for each in (beside, stage)]
            measured = measure(*calls, pairs=size.pairs, seconds=size.seconds, note=note)
            self.report.add(row.name, compared_figures_of(measured), row.goal)
            for after in row.after:
                for each, call in zip((beside, stage), calls, strict=True):
                    assert not list(after(each, call, measured)), "figures of two servers under one name"
        for each in (stage, beside):
            shutil.rmtree(each.folder)

    @contextmanager
    def _stage(
        self, row: Row, size: Size, program: Sequence[str], setup: Setup | None, suffix: str = ""
    ) -> Iterator[Stage]:
        """Serve a house of the row's with *program* on *setup* for as long as it is measured."""
        name = f"{row.name}{suffix}"
        folder = self.folder / name
        if setup is None:
            house = self._house(row.plan(size))
            log = house.copied_to(folder) / "server.log"
            with served(program, cores=self.cores, settings=house.settings, log=log) as server:
                yield Stage(house=house, server=server, cores=self.cores, size=size, folder=folder)
            return
        with running(setup, self.cores) as engines:
            self.report.remarks[name] = engines.said
            house = _built(row.plan(size), folder, engines.settings)
            cores, log = setup.cores(self.cores), folder / "server.log"
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
