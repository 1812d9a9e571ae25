"""What every call pays for being let in: next to nothing for a poll, little for a call that has to wait."""

import time
import timeit
from collections.abc import Callable

from stagedoor.http.load import Load
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.priority import Priority

CALLS = 20_000
POLL_US_MAX = 0.6
WAITING_US_MAX = 6.0
"""A poll takes some 60 us, a reserve or a payment some 400: one hundredth of each, and half as much again."""


def cost_us(call: Callable[[], object]) -> float:
    # Processor time, and the best of several runs: what the machine does besides only ever adds.
    return min(timeit.repeat(call, timer=time.process_time, number=CALLS, repeat=15)) / CALLS * 1e6


def test_a_poll(record_property: Callable[[str, object], None]) -> None:
    load = Load(Metrics())

    cost = cost_us(lambda: load.sheds(Priority.POLL))

    record_property("us", cost)
    assert cost <= POLL_US_MAX


def test_a_call_that_waits(record_property: Callable[[str, object], None]) -> None:
    load = Load(Metrics())

    def let_in_and_answered() -> None:
        now = time.perf_counter()
        assert not load.sheds(Priority.PAY)
        assert load.has_room(Priority.PAY, now)
        load.begin(Priority.PAY, now)
        load.end(Priority.PAY, now)

    cost = cost_us(let_in_and_answered)

    record_property("us", cost)
    assert cost <= WAITING_US_MAX
