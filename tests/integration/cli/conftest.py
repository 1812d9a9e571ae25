from pathlib import Path

import pytest

from tests.integration.cli.command import Command, commands_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the data are: a path with a space in it, not there yet."""
    return tmp_path / "a night"


@pytest.fixture
def stagedoor(folder: Path) -> Command:
    """The command, on data in `folder`."""
    return commands_in(folder)
