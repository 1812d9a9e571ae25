"""What others have committed is noticed, also where a lower number is committed after a higher one."""

from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.workers.others import UNRULY_MS, FollowOthers


class Counting:
    def __init__(self) -> None:
        self.newest = 7
        self.changes = 0

    async def number(self) -> int:
        return self.newest

    def changed(self) -> None:
        self.changes += 1


async def test_a_new_event_is_a_change_for_as_long_as_an_older_one_may_still_come() -> None:
    clock, store = ManualClock(Instant(1)), Counting()
    others = FollowOthers(store.number, clock, changed=store.changed)
    await others.look()
    clock.advance(UNRULY_MS - 1)
    await others.look()
    assert store.changes == 2

    clock.advance(1)
    await others.look()
    assert store.changes == 2

    store.newest += 1
    await others.look()
    assert store.changes == 3


async def test_an_emptied_outbox_is_a_change_too() -> None:
    clock, store = ManualClock(Instant(1)), Counting()
    others = FollowOthers(store.number, clock, changed=store.changed)
    await others.look()
    clock.advance(UNRULY_MS)

    store.newest = 0
    await others.look()

    assert store.changes == 2
