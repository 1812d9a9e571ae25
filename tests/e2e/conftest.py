"""Who serves a story: one server shared by all that can share, one of its own for a story that changes the server."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.e2e.harness.evening import Evening, Evenings, check_in_a_process, make_members
from tests.e2e.harness.programme import RoomPlan

MUTANTS = Path(__file__).with_name("mutants")


@pytest.fixture(scope="session")
def members(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with members and nothing else, to be copied."""
    database = tmp_path_factory.mktemp("members") / "stagedoor.db"
    make_members(database)
    return database


@pytest.fixture(scope="session")
def evenings(members: Path, tmp_path_factory: pytest.TempPathFactory) -> Evenings:
    """Open an evening on a copy of the members."""

    def open_evening(*rooms: RoomPlan, mutant: str | None = None, **settings: str) -> AbstractContextManager[Evening]:
        folder = tmp_path_factory.mktemp("evening")
        program = ("-m", "stagedoor") if mutant is None else (str(MUTANTS / f"{mutant}.py"),)
        return Evening.on(folder / "stagedoor.db", rooms, members=members, settings=settings, program=program)

    return open_evening


@pytest.fixture(scope="session")
def shared_evening(request: pytest.FixtureRequest, evenings: Evenings) -> Iterator[Evening]:
    """The server of all stories that can share one, with the rooms that the modules name in `ROOMS`."""
    modules = dict.fromkeys(item.module for item in request.session.items if isinstance(item, pytest.Function))
    rooms = [room for module in modules for room in getattr(module, "ROOMS", ())]
    assert len({room.id for room in rooms}) == len(rooms), "two stories named the same room"
    with evenings(*rooms) as evening:
        yield evening
        check_in_a_process(evening)


@pytest.fixture(scope="module")
def evening(shared_evening: Evening) -> Iterator[Evening]:
    """The shared server; when the story is over its books are checked."""
    yield shared_evening
    shared_evening.check()


@pytest.fixture(scope="module", autouse=True)
def broken(request: pytest.FixtureRequest, evenings: Evenings) -> Iterator[Evening | None]:
    """
    The server without the guard that the module names in `BROKEN`, for the story's negative control.

    It starts when the module does, so that it is there once the control is reached.
    """
    module = request.module
    mutant = getattr(module, "BROKEN", None)
    if mutant is None:
        yield None
        return
    rooms = [*getattr(module, "ROOMS", ()), *getattr(module, "OWN_ROOMS", ())]
    with evenings(*rooms, mutant=mutant, **getattr(module, "SETTINGS", {})) as evening:
        yield evening
