"""In no T seconds more than ceil(rate x T) + ceil(rate / 4) are admitted, whatever happens in between."""

import random
from math import ceil

import pytest

from stagedoor.kernel.clock import Instant, later
from stagedoor.waiting_room.admission_rate import AdmissionRate, burst_max
from tests.builders.line import NOON, TICK_MS


def admissions(limiter: AdmissionRate, rate: float | None, *, ticks: int, start: Instant = NOON) -> list[Instant]:
    """Admit as many as allowed at each of *ticks*; return when each one was."""
    instants = []
    for tick in range(ticks):
        now = later(start, tick * TICK_MS)
        limiter.settle(rate, now)
        allowed = limiter.available
        assert allowed is not None
        limiter.take(allowed, now)
        instants += [now] * allowed
    return instants


def too_many(instants: list[Instant], rate: float) -> list[tuple[Instant, Instant, int]]:
    """Return the windows, from one admission to another, in which there were more than the rate allows."""
    return [
        (first, last, j - i + 1)
        for i, first in enumerate(instants)
        for j, last in enumerate(instants[i:], i)
        if j - i + 1 > ceil(rate * (last - first) / 1_000) + ceil(rate / 4)
    ]


@pytest.mark.parametrize("rate", [0.1, 0.5, 1, 3.7, 4, 10, 25, 40])
def test_the_rate_holds_in_every_window(rate: float) -> None:
    instants = admissions(AdmissionRate(), rate, ticks=80)

    assert too_many(instants, rate) == []


@pytest.mark.parametrize("rate", [0.1, 1, 4, 10, 40])
def test_nothing_is_lost_either(rate: float) -> None:
    seconds = 80

    instants = admissions(AdmissionRate(), rate, ticks=seconds * 4 + 1)

    assert len(instants) >= int(rate * seconds)


def test_it_begins_with_one_burst() -> None:
    limiter = AdmissionRate()

    limiter.settle(10.0, NOON)

    assert limiter.available == burst_max(10.0) == 3


def test_a_long_pause_is_worth_one_burst_and_no_more() -> None:
    limiter = AdmissionRate()
    admissions(limiter, 10.0, ticks=4)

    limiter.settle(10.0, later(NOON, 3_600_000))

    assert limiter.available == 3


def test_without_a_rate_there_is_no_limit() -> None:
    limiter = AdmissionRate()

    limiter.settle(None, NOON)

    assert limiter.available is None


@pytest.mark.parametrize("pause_ms", [0, 99, 100, 250, 1_000])
def test_after_a_restart_the_bucket_is_taken_as_empty_at_the_last_admission(pause_ms: int) -> None:
    instants = admissions(AdmissionRate(), 10.0, ticks=9)
    back = later(instants[-1], pause_ms)

    again = AdmissionRate(last_admitted_at=instants[-1])
    instants += admissions(again, 10.0, ticks=9, start=back)

    assert too_many(instants, 10.0) == []


def test_after_a_restart_with_a_clock_set_back_nothing_is_filled_twice() -> None:
    instants = admissions(AdmissionRate(), 10.0, ticks=9)

    again = AdmissionRate(last_admitted_at=instants[-1])
    again.settle(10.0, later(instants[-1], -5_000))

    assert again.available == 0


def test_a_limit_set_while_there_was_none_begins_at_the_last_admission() -> None:
    limiter = AdmissionRate()
    limiter.settle(None, NOON)
    limiter.take(500, NOON)

    limiter.settle(10.0, later(NOON, 100))
    at_once = limiter.available
    limiter.settle(10.0, later(NOON, 350))

    assert at_once == 1
    assert limiter.available == 3


def test_a_raised_rate_counts_from_when_it_is_seen() -> None:
    limiter = AdmissionRate()
    admissions(limiter, 0.1, ticks=1)

    limiter.settle(100.0, later(NOON, 5_000))

    assert limiter.available == 0


def test_a_lowered_rate_takes_the_larger_burst_away() -> None:
    limiter = AdmissionRate()
    limiter.settle(100.0, NOON)

    limiter.settle(4.0, later(NOON, 250))

    assert limiter.available == 1


def test_over_any_changes_the_highest_rate_in_a_window_holds() -> None:
    chance = random.Random(11)
    limiter = AdmissionRate()
    record: list[tuple[Instant, float]] = []
    now = NOON
    rate = 10.0
    for _ in range(400):
        now = later(now, chance.choice([100, 250, 250, 400, 2_000]))
        rate = chance.choice([rate, rate, rate, 2.0, 10.0, 30.0])
        limiter.settle(rate, now)
        count = limiter.available or 0
        limiter.take(count, now)
        record += [(now, rate)] * count

    for i, (first, _) in enumerate(record):
        highest = 0.0
        for j in range(i, min(i + 120, len(record))):
            last, rate_then = record[j]
            highest = max(highest, rate_then)
            assert j - i + 1 <= ceil(highest * (last - first) / 1_000) + ceil(highest / 4)


def test_control_a_bucket_twice_as_large_is_found_out() -> None:
    first = admissions(AdmissionRate(), 10.0, ticks=40)
    second = admissions(AdmissionRate(), 10.0, ticks=40)

    assert too_many(sorted(first + second), 10.0) != []
