"""What one sees: a row a second while it goes on, and both evenings side by side at the end."""

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import fmean, pstdev
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from scripts.breaker_demo.crowd import Answered, Group
from scripts.breaker_demo.evening import BREAKERS, SALE_OR_LINE, STALLED, Evening, Second, states_of

_COLUMNS = {
    "s": 4,
    "database": 10,
    "sale": 24,
    "ms": 6,
    "line": 18,
    "ms ": 6,
    "polls, lists": 14,
    "ms  ": 6,
    "reached it": 12,
    "kept away": 11,
    "breakers": 0,
}
"""What a row tells, with its width where it is plain text. Answers are told by their status, each with its number."""

LATE_S_MAX = 0.5
"""Whoever is answered so late may be told that a call was not answered at all."""

_STYLES = {STALLED: "red"}


class Screen:
    """Shows an evening while it goes on: a table that grows on a terminal, plain lines anywhere else."""

    def __init__(self, console: Console, title: str) -> None:
        """Show on *console*."""
        self._console = console
        self._table = Table(*_COLUMNS, title=title, title_justify="left", expand=False)
        self._title = title
        self._live = Live(self._table, console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        """Begin."""
        if self._live is not None:
            self._live.start()
        else:
            self._say("")
            self._say(self._title)
            self._say(_line(list(_COLUMNS)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave what was shown where it is."""
        if self._live is not None:
            self._live.stop()

    def show(self, second: Second) -> None:
        """Add a second."""
        row = list(_row(second))
        if self._live is not None:
            self._table.add_row(*row, style=_STYLES.get(second.phase, ""))
            self._live.refresh()
        else:
            self._say(_line(row))

    def _say(self, line: str) -> None:
        self._console.print(line.rstrip(), highlight=False, markup=False, soft_wrap=True)


def side_by_side(console: Console, guarded: Evening, unguarded: Evening) -> None:
    """Show what the breakers were worth: the seed's section 8-2, in numbers."""
    rows = [
        (name, said, said_without)
        for (name, said), (_, said_without) in zip(_figures(guarded), _figures(unguarded), strict=True)
    ]
    if console.is_terminal:
        table = Table("Side by side", "with breakers", "without")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    else:
        for name, said, said_without in [("Side by side", "with breakers", "without"), *rows]:
            line = f"{name:<58}{said:>26}{said_without:>26}".rstrip()
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    for breaker in BREAKERS:
        states = states_of(guarded.seconds, breaker)
        if len(states) > 1:
            console.print(f"{breaker}: {' → '.join(states)}", highlight=False, soft_wrap=True)


def say_if_spoilt(console: Console, *evenings: Evening) -> None:
    """Warn of figures that are of a machine with something else to do, and not of the breakers."""
    late_s = max(evening.late_s for evening in evenings)
    if late_s > LATE_S_MAX:
        console.print(f"The machine was busy with something else: a look was {late_s:.1f} s late.", soft_wrap=True)


def _row(second: Second) -> Iterator[str]:
    yield str(second.number)
    yield "stalled" if second.phase == STALLED else "works"
    for group in Group:
        answers = _of(second.answers, group)
        yield _by_status(answers)
        yield _mean_ms(answers)
    yield str(second.reached)
    yield str(second.kept_away)
    yield ", ".join(second.changes)


def _line(cells: Sequence[str]) -> str:
    return "".join(cell.ljust(width) for cell, width in zip(cells, _COLUMNS.values(), strict=True)).rstrip()


def _figures(evening: Evening) -> Iterator[tuple[str, str]]:
    stalled, all_the_time = evening.in_the_stall, _needy(evening.answers)
    needy, untouched, seconds = _needy(stalled), _of(stalled, Group.UNTOUCHED), evening.of_phase(STALLED)
    yield "While the database is stalled", ""
    yield "  calls of the sale and the line", str(len(needy))
    yield "  of them failed", _share(sum(not one.is_good for one in needy), len(needy))
    yield "  their answers", _by_status(needy)
    yield "  their callers waited, mean ± deviation", _mean_and_deviation(needy)
    yield "  and at most", _longest(needy)
    yield "  polls and lists that were answered", _share(sum(one.is_good for one in untouched), len(untouched))
    yield "  their callers waited, mean ± deviation", _mean_and_deviation(untouched)
    yield "  commands of the sale and joins that reached it", str(sum(second.reached for second in seconds))
    yield "  calls that the breakers kept away from it", str(sum(second.kept_away for second in seconds))
    yield "Once it works again", ""
    yield "  until nothing of the sale and the line failed", f"{evening.recovery_s:.1f} s"
    yield "All the time", ""
    yield (
        "  calls of the sale and the line that failed",
        _share(sum(not one.is_good for one in all_the_time), len(all_the_time)),
    )
    yield "  their callers waited, mean ± deviation", _mean_and_deviation(all_the_time)


def _needy(answers: Sequence[Answered]) -> list[Answered]:
    return [one for one in answers if one.group in SALE_OR_LINE]


def _of(answers: Sequence[Answered], group: Group) -> list[Answered]:
    return [one for one in answers if one.group == group]


def _by_status(answers: Sequence[Answered]) -> str:
    """Return each status with how many had it; `none` for calls that had no answer."""
    counted = sorted(Counter(one.status for one in answers).items())
    return ", ".join(f"{status or 'none'}: {times}" for status, times in counted) or "-"


def _mean_ms(answers: Sequence[Answered]) -> str:
    return f"{1_000 * fmean(one.took for one in answers):.0f}" if answers else "-"


def _mean_and_deviation(answers: Sequence[Answered]) -> str:
    if not answers:
        return "-"
    took = [1_000 * one.took for one in answers]
    return f"{fmean(took):.0f} ± {pstdev(took):.0f} ms"


def _longest(answers: Sequence[Answered]) -> str:
    return f"{1_000 * max(one.took for one in answers):.0f} ms" if answers else "-"


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if whole else "-"
