from collections.abc import Iterable

from stagedoor.resilience.breaker.windows import FAILED, NO_RATE, SLOW, SUCCEEDED, CountWindow, TimeWindow, rates_of
from tests.unit.resilience.breakers import Stopwatch


def failure_rates(window: CountWindow, outcomes: Iterable[int]) -> list[float]:
    rates = []
    for outcome in outcomes:
        window.add(outcome)
        rates.append(rates_of(window)[0])
    return rates


def test_a_count_window_keeps_the_last_calls() -> None:
    window = CountWindow(4, minimum=1)

    rates = failure_rates(window, [FAILED, SUCCEEDED, SUCCEEDED, SUCCEEDED, SUCCEEDED])

    assert rates == [100, 50, 100 / 3, 25, 0]
    assert window.total == 4


def test_a_count_window_wraps_more_than_once() -> None:
    window = CountWindow(3, minimum=1)

    failure_rates(window, [FAILED, SUCCEEDED, SLOW, FAILED + SLOW, SUCCEEDED, SLOW, SLOW])

    assert window.counts == [1, 0, 2, 0]


def test_a_count_window_never_asks_for_more_than_it_holds() -> None:
    assert CountWindow(10, minimum=100).minimum == 10
    assert CountWindow(10, minimum=5).minimum == 5


def test_below_the_minimum_there_is_no_rate() -> None:
    window = CountWindow(10, minimum=2)

    assert failure_rates(window, [FAILED, FAILED]) == [NO_RATE, 100]


def test_a_slow_failure_is_in_both_rates() -> None:
    window = CountWindow(4, minimum=1)

    failure_rates(window, [FAILED + SLOW, SLOW, FAILED, SUCCEEDED])

    assert rates_of(window) == (50, 50)


def test_a_time_window_asks_for_its_minimum_whatever_its_size() -> None:
    assert TimeWindow(10, minimum=100, now_ns=Stopwatch()).minimum == 100


def test_a_time_window_drops_a_second_as_a_whole() -> None:
    clock = Stopwatch()
    window = TimeWindow(10, minimum=1, now_ns=clock)

    window.add(FAILED)
    clock.advance(ms=999)
    window.add(FAILED)
    clock.advance(ms=9_000)
    window.forget_the_past()
    assert window.total == 2
    clock.advance(ms=1)
    window.forget_the_past()

    assert window.total == 0
    assert window.counts == [0, 0, 0, 0]


def test_a_time_window_rolls_second_by_second() -> None:
    clock = Stopwatch(ns=1_234_567_890_123)
    window = TimeWindow(3, minimum=1, now_ns=clock)

    totals = []
    for _ in range(7):
        window.add(SUCCEEDED)
        window.add(FAILED)
        totals.append(window.total)
        clock.advance(ms=1_000)

    assert totals == [2, 4, 6, 6, 6, 6, 6]


def test_a_time_window_survives_a_gap_of_any_length() -> None:
    clock = Stopwatch()
    window = TimeWindow(3, minimum=1, now_ns=clock)
    for _ in range(3):
        window.add(FAILED)
        clock.advance(ms=1_000)

    clock.advance(ms=1_000_000_007)
    window.add(SLOW)

    assert window.counts == [0, 0, 1, 0]
    assert rates_of(window) == (0, 100)


def test_a_time_window_of_one_second() -> None:
    clock = Stopwatch()
    window = TimeWindow(1, minimum=1, now_ns=clock)

    window.add(FAILED)
    clock.advance(ms=1_000)
    window.add(SUCCEEDED)

    assert window.counts == [1, 0, 0, 0]
