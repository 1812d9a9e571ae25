"""Tables on standard output: drawn to fit a terminal, never cut short in a pipe."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from stagedoor.cli.sentences import say
from stagedoor.kernel.clock import SECOND_MS, Instant

_PIPE_WIDTH = 1_000


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print *rows* under *columns*."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    in_terminal = sys.stdout.isatty()
    console = Console(width=None if in_terminal else _PIPE_WIDTH, markup=False, highlight=False, emoji=False)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        say(line.rstrip())


def local_time(at: Instant | None, time_zone: str) -> str:
    """Return *at* as the venue's clocks show it, `-` for never."""
    if at is None:
        return "-"
    return f"{datetime.fromtimestamp(at / SECOND_MS, ZoneInfo(time_zone)):%Y-%m-%d %H:%M:%S %Z}"
