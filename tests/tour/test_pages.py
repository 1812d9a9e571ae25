"""Every page is typed as it stands, against a server of its own, and what comes is what it shows."""

from pathlib import Path

import pytest

from tests.tour.pages import Step, steps_of
from tests.tour.sameness import common, is_shown
from tests.tour.terminal import Reader

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = sorted((ROOT / "docs" / "how-to").glob("*.md"))
SAYS_SO = "<!-- typed by tests/tour -->"
PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "tutorial.md",
    *(page for page in HOW_TO if SAYS_SO in page.read_text(encoding="utf-8")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_says_is_what_comes(page: Path, tmp_path: Path) -> None:
    steps = steps_of(page)
    with Reader(tmp_path) as reader:
        for step in steps:
            take(step, reader)


def take(step: Step, reader: Reader) -> None:
    if step.starts_a_server:
        came, status = reader.serve(step.typed), 0
    else:
        came, status = reader.enter(step.typed)

    shown = step.printed is None or is_shown(step.printed, came)
    where = f"line {step.line}:\n{step.typed}\n--- came (status {status}):\n{came}"
    assert shown, f"{where}\n--- the page shows:\n{common(step.printed or '')}\n--- in common form:\n{common(came)}"
    assert status == 0, where
