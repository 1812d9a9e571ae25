import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from stagedoor.adapters.sql.lanes import DatabaseFull
from stagedoor.kernel.clock import ManualClock
from stagedoor.kernel.errors import Fault, StoreFull
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.breaker import FAULTS_FAIL, Verdict
from stagedoor.resilience.reserve import RETRY_AFTER_MS, NearlyFull, Reserve, Space
from stagedoor.workers import disk
from stagedoor.workers.disk import DiskWatch, RemoteDisk
from tests.builders.sale import NOON

PLENTY = Space(free=90, total=100)


class Write:
    """Writes."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, _command: str) -> asyncio.Future[str]:
        self.asked += 1
        loop = asyncio.get_running_loop()
        written = loop.create_future()
        loop.call_soon(written.set_result, "written")
        return written


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> DiskWatch:
    monkeypatch.setattr(disk, "space_in", lambda _folder: PLENTY)
    return DiskWatch(Path(), Reserve(percent=5, bytes_max=None), Metrics())


async def test_a_write_without_room_lets_nothing_begin_until_the_next_look(watch: DiskWatch) -> None:
    join = Write()
    join_sparing = watch.sparing(join)
    with capture_logs() as logged:
        watch.mind(StoreFull("no room"))
        watch.mind(StoreFull("no room"))
    with pytest.raises(NearlyFull):
        await join_sparing("his")
    was_low, said = watch.is_low, watch.ready()

    await watch.look()

    assert [entry["event"] for entry in logged] == ["disk.full"]
    assert (was_low, said) == (True, {"disk": "full: there was no room for a write"})
    assert (join.asked, await join_sparing("his"), watch.ready()) == (0, "written", {"disk": "ok"})


async def test_another_fault_says_nothing_about_the_disk(watch: DiskWatch) -> None:
    watch.mind(Fault("locked"))

    assert not watch.is_low


async def test_a_write_without_room_at_a_server_lets_nothing_begin_until_it_is_time_to_try_again() -> None:
    clock, join = ManualClock(NOON), Write()
    remote = RemoteDisk(clock)
    join_sparing = remote.sparing(join)
    with capture_logs() as logged:
        remote.mind(DatabaseFull("could not extend file"))
        clock.advance(RETRY_AFTER_MS - 1)
        remote.mind(DatabaseFull("could not extend file"))
    clock.advance(RETRY_AFTER_MS - 1)
    with pytest.raises(NearlyFull) as refused:
        await join_sparing("hers")
    was_low, said = remote.is_low, remote.ready()

    clock.advance(1)

    assert [entry["event"] for entry in logged] == ["disk.full"]
    assert refused.value.retry_after_ms == RETRY_AFTER_MS
    assert (was_low, said) == (True, {"disk": "full: the database server found no room for a write"})
    assert (join.asked, await join_sparing("hers")) == (0, "written")
    assert (remote.is_low, remote.ready()) == (False, {})


async def test_another_fault_of_a_server_says_nothing_about_its_disk() -> None:
    remote = RemoteDisk(ManualClock(NOON))

    remote.mind(Fault("gone"))

    assert not remote.is_low


def test_a_full_database_is_a_failure_of_it_to_its_breaker() -> None:
    assert FAULTS_FAIL(DatabaseFull("could not extend file")) is Verdict.FAILURE
