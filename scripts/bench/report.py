"""What was measured, as JSON for machines and as tables for people."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from scripts.bench.goals import Figures, Goal
from scripts.bench.rounds import Measured

QUIET_CORE_SHARE_MIN = 0.9
"""A floor that is called as fast as it answers has nearly all of its core, unless others use it as well."""

CLIENT_SHARE_MAX = 0.9
"""A client that has less to do than that waits for the server, not the server for it."""


@dataclass(slots=True, kw_only=True)
class Report:
    """Figures by name of their row, in the order in which they were measured; *remarks* say what a row stood on."""

    figures: dict[str, Figures] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    _goals: dict[str, Goal] = field(default_factory=dict)

    def add(self, name: str, figures: Figures, goal: Goal | None) -> None:
        """Add a row."""
        self.figures[name] = figures
        if goal is not None:
            self._goals[name] = goal

    def lines(self) -> Iterator[str]:
        """Yield the tables, in Markdown: what was measured beside the floor, and all else."""
        calls = {name: of for name, of in self.figures.items() if "ratio" in of}
        if calls:
            yield "| row | a second | floor | ratio (spread) | by CPU | goal | p50 ms | p99 ms | CPU us | void rounds |"
            yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
        for name, of in calls.items():
            yield (
                f"| {name} | {of['rps']:,.0f} | {of['floor_rps']:,.0f} "
                f"| {of['ratio']:.2f} ({of['ratio_min']:.2f}-{of['ratio_max']:.2f}) | {of['cpu_ratio']:.2f} "
                f"| {self._goal(name)} | {of['p50_ms']:.2f} | {of['p99_ms']:.2f} | {_cpu_us(of)} "
                f"| {of['void_rounds']:.0f} |"
            )
        yield from _doubts(calls)
        if self.remarks:
            yield ""
            yield from (f"- {name}: {remark}" for name, remark in self.remarks.items())
        others = {name: of for name, of in self.figures.items() if name not in calls}
        if others:
            yield ""
            yield "| also | measured | goal |"
            yield "|---|---|--:|"
        for name, of in others.items():
            said = ", ".join(f"{figure.replace('_', ' ')} {value:,.10g}" for figure, value in of.items())
            yield f"| {name} | {said} | {self._goal(name)} |"

    def write(self, path: Path) -> None:
        """Write the figures as JSON, an object of rows."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.figures, indent=2) + "\n", encoding="utf-8")

    def _goal(self, name: str) -> str:
        goal = self._goals.get(name)
        return goal.verdict(self.figures[name], self.figures) if goal else ""


def _doubts(calls: Mapping[str, Figures]) -> Iterator[str]:
    """Yield what speaks against the figures of *calls*."""
    shares = [of["floor_core_share"] for of in calls.values() if of["floor_core_share"] < QUIET_CORE_SHARE_MIN]
    if shares:
        yield ""
        yield (
            f"**Not a quiet machine**: in {len(shares)} of {len(calls)} rows the floor had less than "
            f"{QUIET_CORE_SHARE_MIN:.0%} of its core ({min(shares):.0%} at the least), so rates and ratios say little."
        )
    busy = [name for name, of in calls.items() if of["client_share"] > CLIENT_SHARE_MAX]
    if busy:
        yield ""
        yield f"**The client was the slower one** in {', '.join(busy)}: their ratios come out too high."


def _cpu_us(of: Figures) -> str:
    """Write what the server took, and what its engines did where it has any."""
    return f"{of['cpu_us']:.1f}" + (f" + {engines:.1f}" if (engines := of["engines_cpu_us"]) else "")


def figures_of(measured: Measured) -> Mapping[str, float]:
    """Return what is written of a call that was measured beside the floor."""
    return {
        "rps": round(measured.of_calls(lambda each: each.rps), 1),
        "p50_ms": round(measured.of_calls(lambda each: each.p50_us / 1e3), 3),
        "p99_ms": round(measured.of_calls(lambda each: each.p99_us / 1e3), 3),
        "cpu_us": round(measured.of_calls(lambda each: each.cpu_us), 2),
        "engines_cpu_us": round(measured.of_calls(lambda each: each.engines_cpu_us), 2),
        "ratio": round(measured.ratio, 3),
        "ratio_min": round(min(measured.ratios), 3),
        "ratio_max": round(max(measured.ratios), 3),
        "cpu_ratio": round(measured.cpu_ratio, 3),
        "core_share": round(measured.of_calls(lambda each: each.core_share), 3),
        "floor_core_share": round(measured.floor_core_share, 3),
        "client_share": round(measured.client_share, 3),
        "floor_rps": round(measured.floor_rps, 1),
        "pairs": len(measured.calls),
        "void_rounds": measured.voided,
    }


def compared_figures_of(measured: Measured) -> Mapping[str, float]:
    """Return what is written of a call that was measured on another server as well, in the place of the floor."""
    pairs = zip(measured.others, measured.calls, strict=True)
    more = [100 * (call.all_cpu_us / other.all_cpu_us - 1) for other, call in pairs]
    return {
        "more_cpu_percent": round(median(more), 2),
        "least": round(min(more), 2),
        "most": round(max(more), 2),
        "all_cpu_us": round(measured.of_calls(lambda each: each.all_cpu_us), 2),
        "other_all_cpu_us": round(median(each.all_cpu_us for each in measured.others), 2),
        "rps": round(measured.of_calls(lambda each: each.rps), 1),
        "other_rps": round(median(each.rps for each in measured.others), 1),
        "p99_ms": round(measured.of_calls(lambda each: each.p99_us / 1e3), 3),
        "other_p99_ms": round(median(each.p99_us / 1e3 for each in measured.others), 3),
        "pairs": len(measured.calls),
        "void_rounds": measured.voided,
    }
