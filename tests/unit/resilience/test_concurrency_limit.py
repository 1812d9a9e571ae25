"""The limit of calls under way: a burst is let through, a queue that stands is cut to what is answered in time."""

from collections import deque
from itertools import pairwise

import pytest

from stagedoor.http import load
from stagedoor.resilience.concurrency_limit import SAFE, SAMPLES_MIN, SHARES, WINDOW_S, ConcurrencyLimit
from stagedoor.resilience.priority import Priority
from tests.builders.sale_under_load import ORDERS_PER_SECOND, PATIENCE_S, Sale

TARGET_S = 1.0
LEAST, MOST = 64, 10_000
"""Easy to count with; what the product has is in `as_served`."""


def a_limit() -> ConcurrencyLimit:
    return ConcurrencyLimit(target_s=TARGET_S, least=LEAST, most=MOST)


def as_served(*, least: int = load.LEAST) -> ConcurrencyLimit:
    return ConcurrencyLimit(target_s=load.TARGET_S, least=least, most=load.MOST)


def let_in(limit: ConcurrencyLimit, priority: Priority, now: float, *, calls: int) -> int:
    """Ask for so many calls at once; return how many of them were let in."""
    begun = 0
    for _ in range(calls):
        if limit.has_room(priority, now):
            limit.begin(priority, now)
            begun += 1
    return begun


def answer(limit: ConcurrencyLimit, priority: Priority, began: float, now: float, *, calls: int) -> None:
    for _ in range(calls):
        limit.end(priority, began, now)


def overloaded() -> ConcurrencyLimit:
    """Return the limit after 2,000 reserves of which 500 were answered in two seconds."""
    limit = a_limit()
    assert let_in(limit, Priority.RESERVE, 0.0, calls=2_000) == 2_000
    answer(limit, Priority.RESERVE, 0.0, 2.0, calls=500)
    limit.has_room(Priority.RESERVE, 2.0 + WINDOW_S)
    return limit


def test_a_burst_that_drains_is_let_in_whole_again_and_again() -> None:
    limit = a_limit()

    for nth in range(10):
        came = nth * 1.0
        assert let_in(limit, Priority.JOIN, came, calls=3_000) == 3_000
        for step in range(1, 31):
            answer(limit, Priority.JOIN, came, came + step * 0.02, calls=100)

    assert limit.limit == MOST


def test_a_queue_that_stands_is_cut_to_what_is_answered_in_time() -> None:
    limit = overloaded()

    assert limit.limit < 1_500
    assert let_in(limit, Priority.RESERVE, 2.3, calls=1) == 0


def test_a_few_who_are_answered_at_once_hide_no_queue() -> None:
    limit = a_limit()
    let_in(limit, Priority.RESERVE, 0.0, calls=2_000)
    # Somebody in a hurry, or without a right to ask: a third of all answers.
    let_in(limit, Priority.RESERVE, 2.0, calls=250)
    answer(limit, Priority.RESERVE, 2.0, 2.0, calls=250)
    answer(limit, Priority.RESERVE, 0.0, 2.0, calls=500)

    limit.has_room(Priority.RESERVE, 2.0 + WINDOW_S)

    assert limit.limit < 1_500


def test_one_slow_call_is_no_overload() -> None:
    limit = a_limit()

    for nth in range(100):
        let_in(limit, Priority.RELEASE, nth * 10.0, calls=1)
        answer(limit, Priority.RELEASE, nth * 10.0, nth * 10.0 + 9, calls=1)

    assert limit.limit == MOST


def test_one_slow_call_of_a_rare_kind_puts_off_nobody_of_another() -> None:
    limit = a_limit()
    let_in(limit, Priority.RELEASE, 0.0, calls=1)

    # 1,000 reserves a second, each answered within a tenth of what it may take, while the release stays.
    for step in range(100):
        came = step * 0.1
        assert let_in(limit, Priority.RESERVE, came, calls=100) == 100
        answer(limit, Priority.RESERVE, came, came + 0.1, calls=100)

    assert limit.limit == MOST


def test_a_database_that_says_nothing_leaves_a_few_to_wait_for_it() -> None:
    limit = a_limit()

    # 200 calls a second, and not one of them is answered.
    for nth in range(4_000):
        let_in(limit, Priority.RESERVE, nth / 200, calls=1)

    assert limit.limit == LEAST
    assert limit.under_way < 300


def test_what_was_cut_comes_back_once_nobody_needs_it() -> None:
    limit = overloaded()
    answer(limit, Priority.RESERVE, 0.0, 2.3, calls=1_500)
    assert limit.limit < MOST

    for nth in range(20):
        let_in(limit, Priority.RESERVE, 3.0 + nth * WINDOW_S, calls=1)
        answer(limit, Priority.RESERVE, 3.0 + nth * WINDOW_S, 3.0 + nth * WINDOW_S, calls=1)

    assert limit.limit == MOST


def test_a_pause_is_as_good_as_many_quiet_windows() -> None:
    limit = overloaded()
    answer(limit, Priority.RESERVE, 0.0, 2.3, calls=1_500)
    limit.has_room(Priority.RESERVE, 2.6)
    limit.has_room(Priority.RESERVE, 2.9)

    limit.has_room(Priority.RESERVE, 60.0)

    assert limit.limit == MOST


def test_it_rises_step_by_step_while_everybody_let_in_is_answered_in_time() -> None:
    limit, limits, now = overloaded(), list[float](), 2.3
    answer(limit, Priority.RESERVE, 0.0, 2.3, calls=1_500)

    for _ in range(12):
        # All that may come, and more; each is answered within two thirds of what it may take.
        begun = let_in(limit, Priority.RESERVE, now, calls=20_000)
        answer(limit, Priority.RESERVE, now, now + 0.66, calls=begun)
        now += 0.66
        limits.append(limit.limit)

    steps = [after / before for before, after in pairwise(limits[2:])]
    assert all(1 < step < 1.05 for step in steps)


def test_what_drains_is_not_cut_again_and_again() -> None:
    limit = a_limit()
    let_in(limit, Priority.RESERVE, 0.0, calls=4_000)

    # 1,000 answers a second, and after the first second each of them has waited longer than it may.
    for step in range(1, 121):
        answer(limit, Priority.RESERVE, 0.0, step * 0.025, calls=25)

    assert limit.limit == pytest.approx(SAFE * 1_000, rel=0.1)


def test_what_was_cut_too_far_is_raised_at_once_to_what_is_safe() -> None:
    limit, now = a_limit(), 0.0
    # A database that says nothing for a while, and then takes 1,000 a second again.
    while limit.limit > LEAST:
        let_in(limit, Priority.RESERVE, now, calls=50)
        now += WINDOW_S
    answer(limit, Priority.RESERVE, now, now, calls=limit.under_way)

    for _ in range(6):
        begun = let_in(limit, Priority.RESERVE, now, calls=250)
        now += WINDOW_S
        answer(limit, Priority.RESERVE, now - WINDOW_S, now, calls=begun)

    assert limit.limit > SAFE * 500


def test_the_less_important_are_refused_first() -> None:
    limit = overloaded()
    answer(limit, Priority.RESERVE, 0.0, 2.3, calls=1_500)

    filled = [
        let_in(limit, priority, 2.3, calls=20_000)
        for priority in Priority
        if priority not in (Priority.PAY, Priority.HEALTH)
    ]

    # Each finds the room that its share has beyond the one before it.
    assert all(filled)
    assert sum(filled) <= limit.limit + 1


def test_a_payment_is_let_in_beyond_the_limit_up_to_the_most_there_may_be() -> None:
    limit = overloaded()

    assert let_in(limit, Priority.RESERVE, 2.3, calls=1) == 0
    assert let_in(limit, Priority.PAY, 2.3, calls=20_000) == MOST - 1_500


def test_health_is_always_let_in() -> None:
    limit = overloaded()
    let_in(limit, Priority.PAY, 2.3, calls=20_000)

    assert let_in(limit, Priority.HEALTH, 2.3, calls=100) == 100


def test_the_shares_are_in_the_order_of_the_priorities() -> None:
    shares = [SHARES[priority] for priority in Priority if priority in SHARES]

    assert shares == sorted(shares)
    assert len(set(shares)) == len(shares) == len(Priority) - 2


def test_few_samples_say_nothing() -> None:
    limit = a_limit()
    let_in(limit, Priority.RESERVE, 0.0, calls=SAMPLES_MIN - 1)

    answer(limit, Priority.RESERVE, 0.0, 30.0, calls=SAMPLES_MIN - 1)
    limit.has_room(Priority.RESERVE, 31.0)

    assert limit.limit == MOST


@pytest.mark.parametrize("times", [1.5, 2, 3, 5, 10])
def test_beyond_its_capacity_a_sale_sells_as_much_as_it_can(times: float) -> None:
    sale = Sale(as_served())

    tally = sale.run(rate=times * ORDERS_PER_SECOND, seconds=20)

    assert tally.paid >= 0.95 * 20 * ORDERS_PER_SECOND
    assert tally.failed == tally.refused_to_pay == 0
    assert tally.p99_s() < PATIENCE_S / 1.5


@pytest.mark.parametrize("times", [0.5, 0.9, 1.0])
def test_within_its_capacity_nobody_is_refused(times: float) -> None:
    tally = Sale(as_served()).run(rate=times * ORDERS_PER_SECOND, seconds=20)

    assert tally.paid == tally.came


def test_without_the_limit_hardly_anybody_is_answered_in_time() -> None:
    class Everybody(ConcurrencyLimit):
        def has_room(self, priority: Priority, now: float) -> bool:
            return True

    tally = Sale(Everybody(target_s=load.TARGET_S, least=load.LEAST, most=load.MOST)).run(
        rate=3 * ORDERS_PER_SECOND, seconds=20
    )

    assert tally.paid < 0.5 * 20 * ORDERS_PER_SECOND
    assert tally.failed > tally.paid


def test_after_a_stall_the_sale_goes_on_at_once() -> None:
    sale = Sale(as_served(), stalls=(5.0, 15.0))

    tally = sale.run(rate=0.8 * ORDERS_PER_SECOND, seconds=30, counted_from=17.0)

    assert tally.paid == tally.came
    assert sale.under_way_most < 1_500


def put_off_by_a_slow_store(limit: ConcurrencyLimit, *, takes_s: float) -> int:
    """Return how many of 1,500 reserves a second, over eight, are put off where each is answered *takes_s* later."""
    under_way, put_off = deque[float](), 0
    for nth in range(12_000):
        now = nth / 1_500
        while under_way and under_way[0] + takes_s <= now:
            came = under_way.popleft()
            limit.end(Priority.RESERVE, came, came + takes_s)
        if limit.has_room(Priority.RESERVE, now):
            limit.begin(Priority.RESERVE, now)
            under_way.append(now)
        else:
            put_off += 1
    return put_off


@pytest.mark.parametrize("takes_s", [0.2, 0.3])
def test_a_store_that_is_slow_and_keeps_up_is_no_overload(takes_s: float) -> None:
    assert put_off_by_a_slow_store(as_served(), takes_s=takes_s) == 0


def test_it_would_be_with_room_for_less_than_two_batches() -> None:
    assert put_off_by_a_slow_store(as_served(least=256), takes_s=0.3) > 4_000
