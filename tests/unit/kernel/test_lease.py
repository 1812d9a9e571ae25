"""A lease is held by one process at a time, by nobody's clock but one's own."""

from collections import defaultdict

import pytest

from stagedoor.kernel.clock import ManualClock
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.lease import (
    HELD_FOR_MS,
    KEPT_EVERY_MS,
    LOOKED_AT_AFTER_MS,
    TAKEN_AFTER_MS,
    Fence,
    Lease,
    LeaseBook,
    LeaseSight,
    OnlyProcess,
)
from tests.builders.line import NOON

TAKEN_OVER_WITHIN_MS = 2_000


class Book(LeaseBook):
    """Leases in memory; *down* makes every call fail."""

    def __init__(self) -> None:
        self.rows = defaultdict[str, LeaseSight](lambda: LeaseSight(Fence(0), 0, None))
        self.down = False
        self.looks = 0

    async def look(self, name: str) -> LeaseSight:
        self._fail()
        self.looks += 1
        return self.rows[name]

    async def take(self, name: str, seen: LeaseSight, *, holder: str) -> Fence | None:
        self._fail()
        if self.rows[name] != seen:
            return None
        self.rows[name] = LeaseSight(Fence(seen.fence + 1), seen.beat + 1, holder)
        return self.rows[name].fence

    async def renew(self, name: str, fence: Fence) -> bool:
        self._fail()
        row = self.rows[name]
        if row.fence != fence:
            return False
        self.rows[name] = row._replace(beat=row.beat + 1)
        return True

    async def give_back(self, name: str, fence: Fence) -> None:
        self._fail()
        row = self.rows[name]
        if row.fence == fence:
            self.rows[name] = row._replace(beat=row.beat + 1, holder=None)

    def _fail(self) -> None:
        if self.down:
            raise Fault("down")


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


def a_lease(book: Book, clock: ManualClock, holder: str) -> Lease:
    return Lease(book, clock, name="relay", holder=holder)


async def test_it_is_had_at_once_where_nobody_has_it(book: Book, clock: ManualClock) -> None:
    ann = a_lease(book, clock, "ann")
    assert ann.fence is None

    await ann.keep()

    assert ann.fence == 1


async def test_the_second_waits_as_long_as_the_first_keeps_it(book: Book, clock: ManualClock) -> None:
    ann, bob = a_lease(book, clock, "ann"), a_lease(book, clock, "bob")
    await ann.keep()

    for _ in range(40):
        clock.advance(KEPT_EVERY_MS)
        await ann.keep()
        await bob.keep()

    assert (ann.fence, bob.fence) == (1, None)


async def test_a_dead_ones_is_taken_over_within_two_seconds_and_never_while_it_believes_to_have_it(
    book: Book, clock: ManualClock
) -> None:
    ann, bob = a_lease(book, clock, "ann"), a_lease(book, clock, "bob")
    await ann.keep()
    await bob.keep()
    await ann.keep()
    died_at = clock.now()

    while bob.fence is None:
        clock.advance(KEPT_EVERY_MS)
        await bob.keep()
        assert ann.fence is None or bob.fence is None

    assert bob.fence == 2
    assert clock.now() - died_at < TAKEN_OVER_WITHIN_MS


@pytest.mark.parametrize("behind_ms", range(0, KEPT_EVERY_MS, 10))
@pytest.mark.parametrize("beats", [4, 5])
async def test_a_dead_ones_is_taken_over_in_time_whenever_it_died_between_two_looks(
    book: Book, clock: ManualClock, beats: int, behind_ms: int
) -> None:
    ann, bob = a_lease(book, clock, "ann"), a_lease(book, clock, "bob")
    died_at = taken_at = clock.now()
    for _ in range(beats):
        await ann.keep()
        died_at = clock.now()
        clock.advance(behind_ms)
        await bob.keep()
        clock.advance(KEPT_EVERY_MS - behind_ms)
    clock.advance(behind_ms)

    while bob.fence is None:
        await bob.keep()
        taken_at = clock.now()
        assert ann.fence is None or bob.fence is None
        clock.advance(KEPT_EVERY_MS)

    assert taken_at - died_at <= TAKEN_OVER_WITHIN_MS - KEPT_EVERY_MS


async def test_one_that_others_keep_is_asked_for_half_as_often_as_it_is_kept(book: Book, clock: ManualClock) -> None:
    ann, bob = a_lease(book, clock, "ann"), a_lease(book, clock, "bob")
    for _ in range(8):
        await ann.keep()
        await bob.keep()
        clock.advance(KEPT_EVERY_MS)

    assert book.looks == 1 + 4


async def test_a_sleeper_finds_out_by_itself_and_then_from_the_store(book: Book, clock: ManualClock) -> None:
    ann, bob = a_lease(book, clock, "ann"), a_lease(book, clock, "bob")
    await ann.keep()
    await bob.keep()
    clock.advance(TAKEN_AFTER_MS)
    await bob.keep()

    assert (ann.fence, bob.fence) == (None, 2)
    await ann.keep()
    assert (ann.fence, bob.fence) == (None, 2)


async def test_who_could_not_renew_does_not_believe_to_have_it_and_goes_on_where_nobody_came(
    book: Book, clock: ManualClock
) -> None:
    ann = a_lease(book, clock, "ann")
    await ann.keep()
    book.down = True
    clock.advance(HELD_FOR_MS - 1)
    with pytest.raises(Fault):
        await ann.keep()
    assert ann.fence == 1
    clock.advance(1)
    assert ann.fence is None

    book.down = False
    await ann.keep()

    assert ann.fence == 1


async def test_one_that_is_given_back_is_had_by_the_next_when_it_looks(book: Book, clock: ManualClock) -> None:
    ann, bob = a_lease(book, clock, "ann"), a_lease(book, clock, "bob")
    await ann.keep()
    await bob.keep()

    await ann.give_back()
    clock.advance(LOOKED_AT_AFTER_MS)
    await bob.keep()

    assert (ann.fence, bob.fence) == (None, 2)
    await ann.give_back()
    assert book.rows["relay"].holder == "bob"


async def test_of_two_who_see_a_dead_one_one_takes_it(book: Book, clock: ManualClock) -> None:
    ann, bob, eve = (a_lease(book, clock, name) for name in ("ann", "bob", "eve"))
    await ann.keep()
    await bob.keep()
    await eve.keep()
    clock.advance(TAKEN_AFTER_MS)

    await bob.keep()
    await eve.keep()

    assert (bob.fence, eve.fence) == (2, None)


def test_the_only_process_there_is_always_leads() -> None:
    assert OnlyProcess().fence == 0
