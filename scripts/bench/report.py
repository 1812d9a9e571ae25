"""What was measured, as JSON for machines and as a table for people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.rounds import Measured

Figures = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A row that was measured, and the least ratio hoped for."""

    name: str
    measured: Measured
    target: float | None

    @property
    def is_missed(self) -> bool:
        """Whether the target is not reached."""
        return self.target is not None and self.measured.ratio < self.target

    def figures(self) -> Figures:
        """Return what build/bench.json says of it."""
        measured = self.measured
        return {
            "rps": round(measured.of_calls(lambda each: each.rps), 1),
            "p50_ms": round(measured.of_calls(lambda each: each.p50_us / 1e3), 3),
            "p99_ms": round(measured.of_calls(lambda each: each.p99_us / 1e3), 3),
            "cpu_us": round(measured.of_calls(lambda each: each.cpu_us), 2),
            "ratio": round(measured.ratio, 3),
            "ratio_min": round(min(measured.ratios), 3),
            "ratio_max": round(max(measured.ratios), 3),
            "cpu_ratio": round(measured.cpu_ratio, 3),
            "floor_rps": round(measured.floor_rps, 1),
            "pairs": len(measured.calls),
            "void_rounds": measured.voided,
        }


def write_json(path: Path, figures: Mapping[str, Figures]) -> None:
    """Write figures by name of their row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def table(results: Sequence[Result]) -> Iterable[str]:
    """Yield the lines of the table, in Markdown."""
    yield "| row | a second | floor | ratio (spread) | by CPU | target | p50 ms | p99 ms | CPU us | void rounds |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for result in results:
        of = result.figures()
        target = "" if result.target is None else f"{result.target:.2f}{' missed' if result.is_missed else ''}"
        yield (
            f"| {result.name} | {of['rps']:,.0f} | {of['floor_rps']:,.0f} "
            f"| {of['ratio']:.2f} ({of['ratio_min']:.2f}-{of['ratio_max']:.2f}) | {of['cpu_ratio']:.2f} | {target} "
            f"| {of['p50_ms']:.2f} | {of['p99_ms']:.2f} | {of['cpu_us']:.1f} | {of['void_rounds']:.0f} |"
        )
