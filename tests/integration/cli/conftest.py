from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.integration.cli.command import Command, commands_in


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Take back what a command that was to serve has set up inside this process: later tests listen at every level."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the data are: a path with a space in it, not there yet."""
    return tmp_path / "a night"


@pytest.fixture
def stagedoor(folder: Path) -> Command:
    """The command, on data in `folder`."""
    return commands_in(folder)
