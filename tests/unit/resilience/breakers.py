"""Breakers for tests, on a clock that moves only when told to."""

from dataclasses import dataclass

from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.resilience.breaker import (
    FAULTS_FAIL,
    BreakerEvent,
    BreakerSettings,
    CircuitBreaker,
    Classify,
    Permit,
    State,
)

MS_NS = 1_000_000
FAST_NS = 1 * MS_NS
SLOW_NS = 2_000 * MS_NS + 1

SMALL = BreakerSettings(
    sliding_window_size=10,
    minimum_number_of_calls=4,
    slow_call_duration_threshold_ms=2_000,
    wait_duration_in_open_state_ms=5_000,
    permitted_number_of_calls_in_half_open_state=4,
)


class DatabaseGone(Fault):
    """A fault."""


class SoldOut(Rejection):
    """A rejection."""


@dataclass(slots=True)
class Stopwatch:
    """A monotonic clock of nanoseconds."""

    ns: int = 0

    def __call__(self) -> int:
        return self.ns

    def advance(self, *, ms: int = 0, ns: int = 0) -> None:
        self.ns += ms * MS_NS + ns


class Bench:
    """A breaker, its clock, and what it told."""

    def __init__(self, settings: BreakerSettings = SMALL, *, classify: Classify = FAULTS_FAIL) -> None:
        self.clock = Stopwatch()
        self.breaker = CircuitBreaker("database", settings, now_ns=self.clock, classify=classify)
        self.told: list[BreakerEvent] = []

    def listen(self) -> None:
        self.breaker.subscribe(self.told.append)

    def permits(self, number: int) -> list[Permit]:
        return [self.breaker.acquire() for _ in range(number)]

    def succeed(self, times: int = 1, *, duration_ns: int = FAST_NS) -> None:
        for _ in range(times):
            self.breaker.record_success(self.breaker.acquire(), duration_ns)

    def fail(self, times: int = 1, *, duration_ns: int = FAST_NS) -> None:
        for _ in range(times):
            self.breaker.record_error(self.breaker.acquire(), duration_ns, DatabaseGone("gone"))

    def sell_out(self, times: int = 1) -> None:
        for _ in range(times):
            self.breaker.record_error(self.breaker.acquire(), FAST_NS, SoldOut())

    def admitted_of(self, calls: int) -> int:
        return sum(self.breaker.try_acquire() is not None for _ in range(calls))

    @property
    def state(self) -> State:
        return self.breaker.state


def an_open_breaker(settings: BreakerSettings = SMALL) -> Bench:
    bench = Bench(settings)
    bench.fail(settings.minimum_number_of_calls)
    assert bench.state is State.OPEN
    return bench


def a_half_open_breaker(settings: BreakerSettings = SMALL) -> Bench:
    """In HALF_OPEN, with every trial call still to give."""
    bench = an_open_breaker(settings)
    bench.breaker.transition_to(State.HALF_OPEN)
    return bench
