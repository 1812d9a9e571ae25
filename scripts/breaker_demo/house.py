"""A server of the demo's own: a fresh database in a folder that goes away, and breakers that open while one watches."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine

from scripts.bench.cores import Cores
from scripts.bench.served import Served, environment, served
from stagedoor.adapters.clock import SystemClock
from stagedoor.adapters.sql import schema
from stagedoor.adapters.sql.seeding import (
    Hall,
    PerformancePlan,
    Section,
    seed_members,
    seed_performance,
    seed_room,
)
from stagedoor.kernel.clock import DAY_MS, HOUR_MS, later
from stagedoor.kernel.ids import MAIN_ROOM
from stagedoor.kernel.money import Won

WAIT_S = 4
DEADLINE_S = 2

BREAKERS = f"""\
resilience4j:
  circuitbreaker:
    configs:
      default:
        waitDurationInOpenState: {WAIT_S}s
    instances:
      queueService: {{baseConfig: default}}
      saleService: {{baseConfig: default}}
"""
"""The seed's values, which are the defaults, but for the wait: half a minute of it is no fun to watch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A server that is up, with its database and what it logs; *operator* may steer its breakers."""

    served: Served
    database: Path
    log: Path
    operator: str
    performance_id: int
    first_seat_id: int


@contextmanager
def a_house(*, members: int, seats: int) -> Iterator[House]:
    """Serve *members* with money and a performance of *seats* until the end of the block. Raises `NotServedError`."""
    with tempfile.TemporaryDirectory(prefix="stagedoor-breaker-demo-") as name:
        folder = Path(name)
        database, log, breakers = folder / "stagedoor.db", folder / "server.log", folder / "breakers.yaml"
        breakers.write_text(BREAKERS)
        settings = {
            "DATABASE_URL": f"sqlite:///{database}",
            "CONFIG": str(breakers),
            "DEADLINE_CHANGE_SECONDS": str(DEADLINE_S),
            # Calls that are put off because a queue stands would hide what the breakers do.
            "WAIT_TARGET_SECONDS": "60",
            "MAX_ACTIVE": str(members),
            "IDLE_TIMEOUT_SECONDS": "3600",
            "ENTRY_WINDOW_SECONDS": "3600",
            "SESSION_MAX_SECONDS": "3600",
            "DISK_RESERVE_PERCENT": "0",
            "LOG_FORMAT": "json",
        }
        performance_id = _prepare(database, members=members, seats=seats)
        command = ("key", "create", "breaker-demo", "--role", "operate")
        made = subprocess.run(
            [sys.executable, "-m", "stagedoor", *command],
            env=environment(settings),
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        program = ("-m", "stagedoor", "serve", "--port", "0")
        with served(program, cores=Cores.choose(), settings=settings, log=log) as server:
            yield House(
                served=server,
                database=database,
                log=log,
                operator=made.stdout.strip(),
                performance_id=performance_id,
                first_seat_id=1,
            )


def _prepare(database: Path, *, members: int, seats: int) -> int:
    now = SystemClock().now()
    starts_at = later(now, DAY_MS)
    section = Section(name="Floor", rows=1, seats_per_row=seats, zone="floor", price_won=Won(1_000))
    plan = PerformancePlan(
        room_id=MAIN_ROOM,
        title="Stalled",
        hall=Hall(venue="The demo", sections=(section,)),
        starts_at=starts_at,
        ends_at=later(starts_at, 2 * HOUR_MS),
        time_zone="Asia/Seoul",
    )
    engine = create_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        schema.upgrade(connection)
        seed_room(connection, MAIN_ROOM, name="Main")
        seed_members(connection, range(1, members + 1), balance_won=Won(100_000), now=now)
        performance_id = seed_performance(connection, plan)
    engine.dispose()
    return performance_id
