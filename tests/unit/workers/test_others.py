"""What others have committed is noticed, also where a lower number is committed after a higher one."""

from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.workers.others import UNRULY_MS, FollowOthers


class Counting:
    def __init__(self) -> None:
        self.newest = 7
        self.changes = 0

    def changed(self) -> None:
        self.changes += 1


def test_a_new_event_is_a_change_for_as_long_as_an_older_one_may_still_come() -> None:
    clock, store = ManualClock(Instant(1)), Counting()
    others = FollowOthers(clock, changed=store.changed)
    others.hear(store.newest)
    clock.advance(UNRULY_MS - 1)
    others.hear(store.newest)
    assert store.changes == 2

    clock.advance(1)
    others.hear(store.newest)
    assert store.changes == 2

    store.newest += 1
    others.hear(store.newest)
    assert store.changes == 3


def test_an_emptied_outbox_is_a_change_too() -> None:
    clock, store = ManualClock(Instant(1)), Counting()
    others = FollowOthers(clock, changed=store.changed)
    others.hear(store.newest)
    clock.advance(UNRULY_MS)

    store.newest = 0
    others.hear(store.newest)

    assert store.changes == 2
