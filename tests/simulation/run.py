"""One evening from one seed, over as many lives of the server as it takes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from unittest import mock

from sqlalchemy import create_engine

from stagedoor.bootstrap import stores
from tests.builders.store import before_the_sale
from tests.simulation.disk import Disk
from tests.simulation.evening import AWAY_AFTER_MS, Evening
from tests.simulation.process import live, seeded, settings_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an evening. *happened* counts events and answers."""

    seed: int
    steps: int
    lives: int
    happened: Counter[str]
    contradictions: Sequence[str]


def simulate(seed: int, steps: int) -> Outcome:
    """Let *steps* things happen, or fewer if something turns out to be false; the same seed is the same evening."""
    random = Random(seed)
    with (
        TemporaryDirectory() as folder,
        # Small enough to be filled.
        mock.patch.object(stores, "WAITING_MAX", 32),
        mock.patch.object(stores, "BATCH_MAX", 8),
        seeded(Random(seed + 1)) as bugs,
    ):
        database = Path(folder) / "evening.db"
        database.write_bytes(before_the_sale())
        settings = settings_for(
            database,
            max_active=5,
            hold_seconds=60,
            idle_timeout_seconds=10,
            session_max_seconds=60,
            away_after_seconds=AWAY_AFTER_MS // 1_000,
        )
        looking = create_engine(f"sqlite:///{database}")
        evening = Evening(random=random, steps=steps, looking=looking)
        started_s, lives = 0.0, 0
        while not evening.is_over:
            lives += 1
            disk = Disk(database)
            evening.arm(disk)
            ended_s = live(settings, evening.story, disk=disk, started_s=started_s)
            evening.witness.contradictions.extend(bugs)
            started_s = ended_s + random.choice([0.2, 1.0, 5.0, 45.0, 400.0, 2_500.0])
        looking.dispose()
    return Outcome(
        seed=seed,
        steps=evening.taken,
        lives=lives,
        happened=evening.happened,
        contradictions=evening.witness.contradictions,
    )
