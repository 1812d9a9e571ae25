"""Progress bars, for terminals alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def progress_bar(what: str, total: int | None) -> Iterator[Callable[..., None]]:
    """
    Show on standard error, while it lasts, how many of *total* are done; give the function that is told of more.

    Where the total is not known yet, the function is told it as its second argument.
    """
    console = Console(stderr=True)
    columns = (TextColumn(f"Making {what}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, total=total: bar.update(task, advance=done, total=total)
