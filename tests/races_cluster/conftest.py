"""Each kind of cluster is started once, and serves all races; each race has its rooms to itself."""

import asyncio
from collections.abc import Iterator

import pytest

from scripts.services import MariaDB, PostgreSQL
from tests.cluster.conftest import DATABASES
from tests.e2e.test_order_of_admission import ROOMS as DOORS
from tests.engines.fixtures import held
from tests.races_cluster.races import races
from tests.races_cluster.stage import Stage, one_late, staged

SIZES = (2, 4)
SOME_SIZES = {"mariadb": (2,), "postgresql": (4,)}
"""Each size and each database once; tests/proofs/races.py has them all."""

EVERY_SIZE = "--every-size"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the races be played on every cluster."""
    parser.addoption(EVERY_SIZE, action="store_true", help=f"play on {SIZES} processes with either database")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have what is played on both databases, or on clusters of several sizes too, played on each."""
    every = metafunc.config.getoption(EVERY_SIZE)
    sizes = {name: SIZES if every else SOME_SIZES[name] for name in DATABASES}
    if "size" in metafunc.fixturenames:
        clusters = [(name, size) for name in DATABASES for size in sizes[name]]
        metafunc.parametrize(("database_server", "size"), clusters, indirect=True, scope="session")
    elif "database_server" in metafunc.fixturenames:
        metafunc.parametrize("database_server", DATABASES, indirect=True, scope="session")


@pytest.fixture(scope="session")
def database_server(request: pytest.FixtureRequest) -> Iterator[MariaDB | PostgreSQL]:
    """A server of either kind."""
    yield from held(DATABASES[request.param]())


@pytest.fixture(scope="session")
def size(request: pytest.FixtureRequest) -> int:
    """How many processes there are."""
    chosen: int = request.param
    return chosen


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDB | PostgreSQL]:
    """A MariaDB."""
    yield from held(DATABASES["mariadb"]())


@pytest.fixture(scope="session")
def stage(
    database_server: MariaDB | PostgreSQL, size: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A cluster of so many processes with all the rooms there are; when all is over its books are checked."""
    rooms = {room.id: room for plans in (DOORS, *(race.rooms for race in races())) for room in plans}
    folder = tmp_path_factory.mktemp("cluster")
    with staged([*rooms.values()], one_late(size), database_server, folder) as opened:
        yield opened
        asyncio.run(opened.cluster.checked())
