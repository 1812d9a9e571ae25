"""A cluster of whose processes one reads late, on a Redis of its own that keeps the whole record of every line."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from scripts.services import MariaDB, PostgreSQL, Redis
from stagedoor.adapters.redis.log_entries import LogEntry
from stagedoor.kernel.clock import SECOND_MS
from stagedoor.waiting_room.room import RoomPolicy
from tests.cluster.conftest import new_database
from tests.cluster.disturbed import KEPT, LATE, program
from tests.cluster.evening import Cluster, lay_out, settings_for
from tests.cluster.log_record import (
    admitted_twice,
    largest_overlap,
    out_of_order,
    passes_in,
    read_log,
    returners_overtaken,
)
from tests.e2e.harness.programme import RoomPlan
from tests.order.judge import too_fast_in
from tests.order.record import Limits, Record

DEFAULTS = RoomPolicy()
UNLIMITED = 1e6
"""Admissions a second of a room that has no rate: more than any machine makes."""

PATIENT: Mapping[str, str] = MappingProxyType({"WAIT_TARGET_SECONDS": "10"})
"""A story is told on a slow machine too, where a whole cluster may have half a core: nobody is put off for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The cluster, and where the record of its lines is."""

    cluster: Cluster
    redis_url: str

    def record(self, room: RoomPlan) -> list[LogEntry]:
        """Return all that ever happened in the line of this room."""
        return read_log(self.redis_url, room.id)

    async def astray(self, *rooms: RoomPlan) -> list[str]:
        """Return what the whole record of each of these lines says against order, overlap and rate."""
        return [wrong for room in rooms for wrong in await asyncio.to_thread(self._astray, room)]

    def _astray(self, room: RoomPlan) -> list[str]:
        entries = self.record(room)
        limits = Limits(
            max_active=DEFAULTS.max_active if room.max_active is None else room.max_active,
            rate=room.rate or UNLIMITED,
            away_after_s=(room.away_after_ms or DEFAULTS.away_after_ms) / SECOND_MS,
        )
        overlap = largest_overlap(entries)
        record = Record(limits=limits, fans=(), passes=passes_in(entries), seconds=0.0)
        wrong = [
            *admitted_twice(entries),
            *out_of_order(entries),
            *returners_overtaken(entries, limits),
            *too_fast_in(record),
            *([f"{overlap} were inside at once"] if overlap > limits.max_active else []),
        ]
        return [f"{room.id}: {one}" for one in wrong]


def one_late(size: int, *disturbances: str) -> Sequence[Sequence[str]]:
    """Return what starts so many processes, each with all these *disturbances*; the last one reads a second late."""
    return [program(KEPT, *disturbances, *([LATE] if number == size else [])) for number in range(1, size + 1)]


@contextmanager
def staged(
    rooms: Sequence[RoomPlan],
    programs: Sequence[Sequence[str]],
    server: MariaDB | PostgreSQL,
    folder: Path,
    **settings: str,
) -> Iterator[Stage]:
    """Serve *rooms* with a process for each of these *programs*, on an empty database of *server*."""
    with Redis() as redis, new_database(server) as url:
        programme = asyncio.run(lay_out(url, rooms))
        with Cluster.of(0, folder, settings_for(url, redis.url, **PATIENT, **settings), programme) as cluster:
            for each in programs:
                cluster.start(program=each)
            for process in cluster.servers:
                assert process.port
            yield Stage(cluster=cluster, redis_url=redis.url)
