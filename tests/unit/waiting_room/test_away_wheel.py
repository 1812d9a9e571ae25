from itertools import chain

from stagedoor.kernel.clock import later
from stagedoor.waiting_room.away import GRANULE_MS, AwayWheel, granule
from tests.builders.line import NOON


def taken(wheel: AwayWheel, after_ms: int, *, limit: int = 100) -> list[int]:
    due = wheel.take_due(later(NOON, after_ms), limit=limit)
    return list(chain.from_iterable(numbers for _, numbers in due))


def test_a_number_is_due_from_the_first_instant_of_its_bucket() -> None:
    wheel = AwayWheel()
    wheel.put(1, granule(NOON + GRANULE_MS))

    assert taken(wheel, GRANULE_MS - 1) == []
    assert taken(wheel, GRANULE_MS) == [1]
    assert taken(wheel, GRANULE_MS) == []


def test_buckets_come_in_order_of_time() -> None:
    wheel = AwayWheel()
    for number, seconds in ((1, 9), (2, 3), (3, 6)):
        wheel.put(number, granule(NOON + seconds * 1_000))

    assert taken(wheel, 10_000) == [2, 3, 1]


def test_no_more_than_the_limit_are_taken_at_once_and_none_is_lost() -> None:
    wheel = AwayWheel()
    wheel.put_all(range(10), granule(NOON))
    wheel.put(10, granule(NOON) + 1)

    some = [taken(wheel, 1_000, limit=4) for _ in range(4)]

    assert [len(numbers) for numbers in some] == [4, 4, 3, 0]
    assert sorted(chain.from_iterable(some)) == list(range(11))


def test_the_bucket_is_told_so_that_an_older_entry_can_be_told_apart() -> None:
    wheel = AwayWheel()
    wheel.put(1, granule(NOON))
    wheel.put(1, granule(NOON) + 8)

    due = wheel.take_due(later(NOON, 2_000), limit=10)

    assert [bucket for bucket, _ in due] == [granule(NOON), granule(NOON) + 8]
