"""What a permitted call pays for its breaker."""

import time
import timeit
from collections.abc import Callable

import pytest

from stagedoor.resilience.breaker import ON_SALE, BreakerSettings, CircuitBreaker, SlidingWindowType

CALLS = 20_000
COST_US_MAX = 3.0

COUNT = ON_SALE
TIME = BreakerSettings(sliding_window_type=SlidingWindowType.TIME_BASED, sliding_window_size=60)


def cost_us(call: Callable[[], object]) -> float:
    # Processor time, and the best of several runs: what the machine does besides only ever adds.
    return min(timeit.repeat(call, timer=time.process_time, number=CALLS, repeat=15)) / CALLS * 1e6


@pytest.mark.parametrize("settings", [COUNT, TIME], ids=["count", "time"])
def test_a_permit_and_a_recorded_success(
    settings: BreakerSettings, record_property: Callable[[str, object], None]
) -> None:
    breaker = CircuitBreaker("bench", settings, now_ns=time.monotonic_ns)

    def permitted() -> None:
        permit = breaker.acquire()
        started_ns = time.monotonic_ns()
        breaker.record_success(permit, time.monotonic_ns() - started_ns)

    cost = cost_us(permitted)

    record_property("us", cost)
    assert cost <= COST_US_MAX


@pytest.mark.parametrize("settings", [COUNT, TIME], ids=["count", "time"])
def test_a_guarded_block(settings: BreakerSettings, record_property: Callable[[str, object], None]) -> None:
    breaker = CircuitBreaker("bench", settings, now_ns=time.monotonic_ns)

    def guarded() -> None:
        with breaker.call():
            pass

    cost = cost_us(guarded)

    record_property("us", cost)
    assert cost <= COST_US_MAX
