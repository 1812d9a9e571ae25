from pathlib import Path

import pytest

from tests.e2e.harness.evening import make_members


@pytest.fixture(scope="session")
def members(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with members and nothing else, to be copied."""
    database = tmp_path_factory.mktemp("members") / "stagedoor.db"
    make_members(database)
    return database
