"""A server whose disk has as much room as a file beside the database says: the product as it is, on a disk of paper."""

from pathlib import Path

from stagedoor.resilience.reserve import Space
from stagedoor.workers import disk
from tests.e2e.harness.removed_guard import replace, run

TOTAL_BYTES = 10_000_000_000


def space_on_paper(folder: Path) -> Space:
    """Read what is left; all of it until somebody says otherwise."""
    said = folder / "free"
    return Space(free=int(said.read_text()) if said.exists() else TOTAL_BYTES, total=TOTAL_BYTES)


replace(disk, "space_in", space_on_paper)
run()
