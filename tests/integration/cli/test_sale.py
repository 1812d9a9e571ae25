"""`stagedoor sale`."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.cli.command import Command, commands_in, done, refused


@pytest.fixture
def stagedoor(folder: Path) -> Command:
    """The command, on a database with one performance."""
    command = commands_in(folder)
    done(command("seed", "performance", "--title", "X", "--starts", "2099-01-01", "--hall", "club"))
    return command


def lines(said: str) -> list[list[str]]:
    return [line.split() for line in said.splitlines() if line.startswith(("everything", "schedule"))]


def test_the_switch_is_turned_whole_and_in_part_and_back(stagedoor: Command, folder: Path) -> None:
    before = done(stagedoor("sale", "show"))
    finishing = done(stagedoor("sale", "finish"))
    both = done(stagedoor("sale", "stop", "--schedule", "1"))
    shown = done(stagedoor("sale", "show"))
    part = done(stagedoor("sale", "open"))
    opened = done(stagedoor("sale", "open", "--schedule", "1"))

    assert "Nothing is stopped." in before
    assert lines(finishing) == [["everything", "holds-only-finish"]]
    assert lines(both) == lines(shown) == [["everything", "holds-only-finish"], ["schedule", "1", "stopped"]]
    assert lines(part) == [["everything", "open"], ["schedule", "1", "stopped"]]
    assert lines(opened) == [["everything", "open"]]
    with closing(sqlite3.connect(folder / "stagedoor.db")) as connection:
        audited = connection.execute("SELECT subject FROM audit WHERE action = 'sale.switch' ORDER BY id").fetchall()
    assert [subject for (subject,) in audited] == ["sale", "performance:1", "sale", "performance:1"]


def test_a_performance_that_is_not_there(stagedoor: Command) -> None:
    assert refused(stagedoor("sale", "stop", "--schedule", "7")) == "There is no performance 7."
