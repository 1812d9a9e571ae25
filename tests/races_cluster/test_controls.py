"""The controls of the races, over two processes: one guard taken out of both, and the race has to tell."""

import asyncio
from pathlib import Path

import pytest

from scripts.services import MariaDB, PostgreSQL
from tests.races_cluster.races import MUTANTS, Race, controls
from tests.races_cluster.stage import staged

PROCESSES = 2


@pytest.mark.parametrize("control", controls(), ids=lambda control: control.name)
def test_without_its_guard_it_ends_otherwise(
    mariadb_server: MariaDB | PostgreSQL, control: Race, tmp_path: Path
) -> None:
    mutant = (str(MUTANTS / f"{control.without}.py"),)
    with staged(control.rooms, [mutant] * PROCESSES, mariadb_server, tmp_path, **control.settings) as stage:
        asyncio.run(control.play(stage.cluster))
