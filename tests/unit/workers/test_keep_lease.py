"""Whoever keeps a lease says when it changes hands, once."""

import pytest
from structlog.testing import capture_logs

from stagedoor.kernel.clock import ManualClock
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.lease import HELD_FOR_MS, Fence, Lease, LeaseBook, LeaseSight
from stagedoor.workers.lease import KeepLease
from tests.builders.line import NOON


class OneRow(LeaseBook):
    """A lease that is renewed as it is told to be."""

    def __init__(self) -> None:
        self.renews = True
        self.down = False

    async def look(self, name: str) -> LeaseSight:
        return LeaseSight(Fence(4), 1, None if self.renews else "another")

    async def take(self, name: str, seen: LeaseSight, *, holder: str) -> Fence | None:
        return Fence(seen.fence + 1)

    async def renew(self, name: str, fence: Fence) -> bool:
        if self.down:
            raise Fault("down")
        return self.renews

    async def give_back(self, name: str, fence: Fence) -> None:
        raise AssertionError("nobody has asked for it")


async def test_each_change_is_told_once_and_taking_wakes_who_waited() -> None:
    book, clock, wakes = OneRow(), ManualClock(NOON), list[str]()
    keep = KeepLease(lease=Lease(book, clock, name="relay", holder="ann"), taken=lambda: wakes.append("taken"))

    with capture_logs() as logs:
        assert [await keep(), await keep()] == [0, 0]
        book.renews = False
        assert [await keep(), await keep()] == [0, 0]

    assert [(line["event"], line["fence"]) for line in logs] == [("lease.taken", 5), ("lease.lost", 5)]
    assert wakes == ["taken"]


async def test_one_that_ran_out_while_the_store_was_down_is_told_too() -> None:
    book, clock = OneRow(), ManualClock(NOON)
    keep = KeepLease(lease=Lease(book, clock, name="relay", holder="ann"), taken=lambda: None)
    await keep()
    book.down = True
    clock.advance(HELD_FOR_MS)

    with capture_logs() as logs, pytest.raises(Fault):
        await keep()

    assert [line["event"] for line in logs] == ["lease.lost"]
