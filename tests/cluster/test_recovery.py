"""The short form of the proof `recovery`: each part is killed once, and the sale goes on and is right."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from scripts.services import MariaDB, PostgreSQL, Redis
from tests.cluster.evening import Cluster, lay_out, settings_for
from tests.cluster.recovery import play
from tests.e2e.harness.programme import a_room, a_show
from tests.engines.fixtures import held

HALL = a_room("hall", a_show(seats=2_000))
ENGINES: dict[str, type[MariaDB | PostgreSQL]] = {"mariadb": MariaDB, "postgresql": PostgreSQL}


@pytest.mark.parametrize(("kind", "what"), [("mariadb", "a server"), ("postgresql", "the database")])
def test_a_part_is_killed_and_the_sale_goes_on(kind: str, what: str, tmp_path: Path) -> None:
    # Engines of its own: what is killed here is nobody else's.
    for database in held(ENGINES[kind]()):
        for redis in held(Redis()):
            url = make_url(database.new_database()).set(drivername=kind).render_as_string(hide_password=False)
            programme = asyncio.run(lay_out(url, [HALL], members=1_000))
            with Cluster.of(2, tmp_path, settings_for(url, redis.url), programme) as cluster:
                done = asyncio.run(play(what, cluster, redis, database, room_id=HALL.id, before=5, after=5))

            assert done.wrong == []
