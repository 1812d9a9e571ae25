"""Payments and rivals around the deadline of a hold, at processes that all have to go by one clock."""

import asyncio
from pathlib import Path

from scripts.services import MariaDB, PostgreSQL
from tests.e2e.test_paying_at_the_deadline import OWN_ROOMS, SETTINGS, every_seat_is_paid_or_free_again
from tests.races_cluster.stage import Stage, one_late, staged


def test_every_seat_is_paid_or_free_again(database_server: MariaDB | PostgreSQL, size: int, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await every_seat_is_paid_or_free_again(stage.cluster)

        assert await stage.astray(*OWN_ROOMS) == []
        await stage.cluster.checked()

    with staged(OWN_ROOMS, one_late(size), database_server, tmp_path, **SETTINGS) as stage:
        asyncio.run(story(stage))
