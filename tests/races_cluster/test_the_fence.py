"""Who leads a line falls asleep with a turn in its hand, and wakes when another has gone on: the record has to tell."""

import asyncio
import signal
from pathlib import Path

from scripts.services import MariaDB, PostgreSQL
from tests.cluster.disturbed import SLEEPY, UNFENCED
from tests.cluster.falls_asleep import TURN, ask_one_to_sleep, is_asleep
from tests.cluster.log_record import passes_in
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.server import Server
from tests.e2e.harness.until import until
from tests.races_cluster.stage import Stage, one_late, staged

CROWD = 60
DOOR = a_room("door", a_show(seats=1), max_active=CROWD, rate=1.0)
"""Let in for a minute: somebody is left to be let in by whoever is next, however long a lease takes to change hands."""
LOOKS = 1_200
"""Longer than a lease lasts, and a slow machine takes."""


async def sleep_over_a_turn(stage: Stage) -> Server:
    """Have whoever leads sleep until another has let somebody in, and then do what it was about to; return it."""
    async with stage.cluster.client() as client:
        await asyncio.gather(*(fan.join() for fan in stage.cluster.fans(CROWD, client, DOOR.id)))
    ask_one_to_sleep([process.log.parent for process in stage.cluster.servers], TURN)
    sleeper = await until(lambda: _sleeper(stage), lambda found: found is not None, looks=LOOKS)
    assert sleeper is not None
    await _lets_somebody_in(stage)
    sleeper.send_signal(signal.SIGCONT)
    return sleeper


async def _sleeper(stage: Stage) -> Server | None:
    return next((process for process in stage.cluster.servers if is_asleep(process.pid)), None)


async def _lets_somebody_in(stage: Stage) -> None:
    async def admissions() -> int:
        return len(passes_in(stage.record(DOOR)))

    before = await admissions()
    await until(admissions, lambda now: now > before, looks=LOOKS)


def test_its_turn_is_refused(database_server: MariaDB | PostgreSQL, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        sleeper = await sleep_over_a_turn(stage)

        async def log() -> str:
            return sleeper.log.read_text()

        await until(log, lambda said: "line.turn_refused" in said, looks=LOOKS)
        await _lets_somebody_in(stage)
        assert await stage.astray(DOOR) == []

    with staged([DOOR], one_late(2, SLEEPY), database_server, tmp_path) as stage:
        asyncio.run(story(stage))


def test_control_without_the_fence_the_record_tells(database_server: MariaDB | PostgreSQL, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await sleep_over_a_turn(stage)

        await until(lambda: stage.astray(DOOR), lambda wrong: wrong != [], looks=LOOKS)

    with staged([DOOR], one_late(2, SLEEPY, UNFENCED), database_server, tmp_path) as stage:
        asyncio.run(story(stage))
