import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from stagedoor.kernel.errors import Fault, StoreFull
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.reserve import NearlyFull, Reserve, Space
from stagedoor.workers import disk
from stagedoor.workers.disk import DiskWatch

PLENTY = Space(free=90, total=100)


class Write:
    """Writes, or fails as it is told to."""

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.asked = 0

    def __call__(self, _command: str) -> asyncio.Future[str]:
        self.asked += 1
        loop = asyncio.get_running_loop()
        written = loop.create_future()
        if self.fault is None:
            loop.call_soon(written.set_result, "written")
        else:
            loop.call_soon(written.set_exception, self.fault)
        return written


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> DiskWatch:
    monkeypatch.setattr(disk, "space_in", lambda _folder: PLENTY)
    return DiskWatch(Path(), Reserve(percent=5, bytes_max=None), Metrics())


async def test_a_write_without_room_lets_nothing_begin_until_the_next_look(watch: DiskWatch) -> None:
    join, pay = Write(), Write()
    join_sparing, pay_minding = watch.sparing(join), watch.minding(pay)
    pay.fault = StoreFull("no room")
    with capture_logs() as logged, pytest.raises(StoreFull):
        await pay_minding("hers")
    with pytest.raises(NearlyFull):
        await join_sparing("his")
    pay.fault = None
    paid, was_low, said = await pay_minding("hers"), watch.is_low, watch.ready()

    await watch.look()

    assert [entry["event"] for entry in logged] == ["disk.full"]
    assert (paid, was_low, said) == ("written", True, {"disk": "full: there was no room for a write"})
    assert (join.asked, await join_sparing("his"), watch.ready()) == (0, "written", {"disk": "ok"})


async def test_another_fault_says_nothing_about_the_disk(watch: DiskWatch) -> None:
    join = Write()
    join.fault = Fault("locked")

    with pytest.raises(Fault):
        await watch.sparing(join)("his")

    assert not watch.is_low
