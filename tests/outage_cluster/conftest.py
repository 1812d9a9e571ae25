import asyncio
from collections.abc import Iterator, Mapping

import pytest

from tests.outage_cluster.cells import Cell
from tests.outage_cluster.house import Engines, engines, rows_of
from tests.outage_cluster.play import Played, play_rows

AT_ONCE = 6


@pytest.fixture(scope="session")
def started() -> Iterator[Engines]:
    """The engines, for all that is played."""
    with engines() as all_of_them:
        yield all_of_them


@pytest.fixture(scope="session")
def played(started: Engines, tmp_path_factory: pytest.TempPathFactory) -> Mapping[Cell, Played]:
    """What came of each cell, half of the rows side by side."""
    return asyncio.run(play_rows(started, rows_of(), tmp_path_factory.mktemp("rows"), at_once=AT_ONCE))
