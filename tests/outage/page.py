"""The page in the docs that tells of outages: a section with a table for each matrix, written by whoever plays it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "outages.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section: *title*, what is to be known before the table, and the table's *columns*."""

    title: str
    introduction: str
    columns: Sequence[str]

    @property
    def head(self) -> str:
        """All of it but the rows, which follow."""
        names = f"| {' | '.join(self.columns)} |\n|{' --- |' * len(self.columns)}\n"
        return f"## {self.title}\n\n{self.introduction}\n{names}"

    def text(self, rows: Sequence[Sequence[str]]) -> str:
        """Return the section with *rows*."""
        return self.head + "".join(f"| {' | '.join(cells)} |\n" for cells in rows)

    def rows_in(self, page: str) -> Sequence[Sequence[str]]:
        """Return the cells of each row that the section has on the *page*; none where its head is another one."""
        _, _, below = page.partition(self.head)
        told, _, _ = below.partition("\n\n")
        return [[cell.strip() for cell in row.strip("|").split("|")] for row in told.splitlines()]

    def put_into(self, page: str, rows: Sequence[Sequence[str]]) -> str:
        """Return the *page* with this section as it is now, in its place, or behind all others."""
        start = f"## {self.title}\n"
        before, found, rest = page.partition(start)
        _, another, after = rest.partition("\n## ")
        return f"{before if found else page + chr(10)}{self.text(rows)}{another}{after}"

    def write(self, rows: Sequence[Sequence[str]]) -> None:
        """Write it into the page."""
        PAGE.write_text(self.put_into(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")


def holes(rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """Return the rows in which a cell says nothing."""
    return [row for row in rows if not all(row)]
