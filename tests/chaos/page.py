"""The page in the docs that shows what came of a sale in chaos: a picture, and tables for each database."""

from pathlib import Path

from tests.chaos.judge import Verdict
from tests.chaos.report import LEGEND, outages_table, seconds_table, verdict_lines
from tests.chaos.timeline import Timeline
from tests.e2e.harness.server import ROOT

PAGE = ROOT / "docs" / "reference" / "chaos.md"
PICTURE = ROOT / "docs" / "chaos.svg"
PICTURED = "MariaDB"
"""The database of the sale that the picture is of."""

LATE_S_MAX = 1.0
"""Buyers who are later than this stood still with their machine, and the picture would be one of that."""


def is_worth_keeping(verdict: Verdict) -> bool:
    """Say whether nothing was untrue, and the figures are the product's and not those of a machine that stood still."""
    return not verdict.wrong and verdict.crowd_late_s <= LATE_S_MAX


def section(title: str, timeline: Timeline, verdict: Verdict, *, below: str) -> str:
    """Return the section on the sale whose database is *title*; *below* says what was run where."""
    parts = [
        f"## {title}",
        f"<!-- Written by `make chaos PAGE=1`. -->\n\n{below}.",
        verdict_lines(verdict),
        "### Outage by outage",
        outages_table(timeline.consequences),
        LEGEND,
        "### Five seconds by five seconds",
        seconds_table(timeline),
    ]
    return "\n\n".join(parts) + "\n"


def put_into(page: str, text: str) -> str:
    """Return the *page* with the section *text* in the place of the one with its title, or behind all others."""
    start = text.partition("\n")[0] + "\n"
    before, found, rest = page.partition(start)
    _, another, after = rest.partition("\n## ")
    return f"{before if found else before + chr(10)}{text}{another}{after}"


def write(title: str, drawn: str, text: str, *, page: Path = PAGE, picture: Path = PICTURE) -> None:
    """Put the section into the *page*, and what was drawn beside it if it is of the database that is shown."""
    page.write_text(put_into(page.read_text(encoding="utf-8"), text), encoding="utf-8")
    if title == PICTURED:
        picture.write_text(drawn, encoding="utf-8")
