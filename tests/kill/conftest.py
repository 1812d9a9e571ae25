"""Evenings that can be killed."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from tests.e2e.harness.evening import Evening, make_members
from tests.kill.rounds import HOLD_SECONDS, ROOMS

MUTANTS = Path(__file__).parents[1] / "e2e" / "mutants"


class Night(Protocol):
    """Opens an evening that can be killed."""

    def __call__(self, mutant: str | None = None) -> AbstractContextManager[Evening]:
        """Serve it with the product, or without the guard that *mutant* names."""
        ...


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    members = tmp_path_factory.mktemp("members") / "members.db"
    make_members(members)

    @contextmanager
    def open_night(mutant: str | None = None) -> Iterator[Evening]:
        database = tmp_path_factory.mktemp("night") / "stagedoor.db"
        program = ("-m", "stagedoor") if mutant is None else (str(MUTANTS / f"{mutant}.py"),)
        settings = {"HOLD_SECONDS": HOLD_SECONDS}
        with Evening.on(database, ROOMS, members=members, settings=settings, program=program) as evening:
            yield evening

    return open_night
