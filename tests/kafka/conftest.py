"""A sale on a SQLite file whose events leave for a real Kafka."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from scripts.services import Kafka
from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from tests.builders.store import open_sqlite
from tests.engines.fixtures import held
from tests.kafka.house import EventsHouse
from tests.kafka.processes import Processes, processes_on


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    async with open_sqlite(tmp_path) as opened:
        yield opened


@pytest.fixture
def house(file: SqliteFile) -> EventsHouse:
    return EventsHouse(file)


@pytest.fixture
def own_kafka() -> Iterator[Kafka]:
    """A Kafka that may be killed."""
    yield from held(Kafka())


@pytest.fixture
def processes(file: SqliteFile, kafka_bootstrap: str) -> Iterator[Processes]:
    with processes_on(file.path, kafka_bootstrap) as started:
        yield started
