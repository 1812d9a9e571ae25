"""
The breaker against a model that forgets nothing and works everything out anew.

The model keeps the list of all calls and all moves. It has no rings, buckets, sums or
eras: what is in a window, how many trial calls are left and what the rates are is asked
of the lists each time.
"""

from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.resilience.breaker import (
    BreakerEvent,
    BreakerSettings,
    BreakerSnapshot,
    Cause,
    CircuitBreaker,
    IllegalTransition,
    Permit,
    SlidingWindowType,
    State,
    StateChanged,
)

MS = 1_000_000
SECOND = 1_000 * MS
SLOW_MS = 100

FORBIDDEN = {State.CLOSED: {State.HALF_OPEN}, State.METRICS_ONLY: {State.OPEN, State.HALF_OPEN}}


class End(Enum):
    """How a call ends."""

    SUCCESS = "success"
    FAILURE = "failure"
    REJECTION = "rejection"
    CANCELLATION = "cancellation"


@dataclass(eq=False)
class Call:
    """One admitted call, and how it ended."""

    admitted_in: int
    end: End | None = None
    ended_at: int = 0
    duration: int = 0
    counted: bool = False

    @property
    def failed(self) -> bool:
        return self.end is End.FAILURE

    @property
    def slow(self) -> bool:
        return self.duration > SLOW_MS * MS


@dataclass
class Model:
    """What should happen, told as history. A stay is the time in one state; stays have numbers."""

    settings: BreakerSettings
    now: int
    stays: list[tuple[State, int]] = field(default_factory=list)  # state, begun at
    calls: list[Call] = field(default_factory=list)
    ended: list[Call] = field(default_factory=list)  # in the order of their ends
    refusals: list[int] = field(default_factory=list)  # the stay of each
    changes: list[tuple[State, State, Cause, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stays.append((State.CLOSED, self.now))

    @property
    def state(self) -> State:
        return self.stays[-1][0]

    @property
    def begun_at(self) -> int:
        return self.stays[-1][1]

    def shown_stays(self) -> set[int]:
        """The stays whose numbers are shown: OPEN goes on with those of the stay before it."""
        number = len(self.stays) - 1
        shown = {number}
        while self.stays[number][0] is State.OPEN:
            number -= 1
            shown.add(number)
        return shown

    def window(self) -> list[Call]:
        shown = self.shown_stays()
        oldest_state = self.stays[min(shown)][0]
        of_stay = [call for call in self.ended if call.counted and call.admitted_in in shown]
        if oldest_state is State.HALF_OPEN:
            return of_stay
        if self.settings.sliding_window_type is SlidingWindowType.COUNT_BASED:
            return of_stay[-self.settings.sliding_window_size :]
        first_second = self.now // SECOND - self.settings.sliding_window_size + 1
        return [call for call in of_stay if call.ended_at // SECOND >= first_second]

    def minimum(self) -> int:
        if self.stays[min(self.shown_stays())][0] is State.HALF_OPEN:
            holds = self.settings.permitted_number_of_calls_in_half_open_state
        elif self.settings.sliding_window_type is SlidingWindowType.COUNT_BASED:
            holds = self.settings.sliding_window_size
        else:
            return self.settings.minimum_number_of_calls
        return min(holds, self.settings.minimum_number_of_calls)

    def rates(self) -> tuple[Fraction, Fraction] | None:
        window = self.window()
        if len(window) < self.minimum():
            return None
        return (
            Fraction(100 * sum(call.failed for call in window), len(window)),
            Fraction(100 * sum(call.slow for call in window), len(window)),
        )

    def shown_rates(self) -> tuple[float, float]:
        rates = self.rates()
        return (-1.0, -1.0) if rates is None else (float(rates[0]), float(rates[1]))

    def go(self, state: State, cause: Cause, *, at: int | None = None) -> None:
        if state is not self.state:
            self.changes.append((self.state, state, cause, *self.shown_rates()))
        self.stays.append((state, self.now if at is None else at))

    def trial_calls_left(self) -> int:
        stay = len(self.stays) - 1
        taken = [call for call in self.calls if call.admitted_in == stay]
        given_back = [call for call in taken if call.end in {End.REJECTION, End.CANCELLATION}]
        return self.settings.permitted_number_of_calls_in_half_open_state - len(taken) + len(given_back)

    def end_overdue_trial(self) -> None:
        longest = self.settings.max_wait_duration_in_half_open_state_ms * MS
        if self.state is State.HALF_OPEN and longest and self.now >= self.begun_at + longest:
            self.go(
                self.settings.transition_to_state_after_wait_duration, Cause.TRIAL_OVERDUE, at=self.begun_at + longest
            )

    def wait_is_over_at(self) -> int:
        return self.begun_at + self.settings.wait_duration_in_open_state_ms * MS

    def ask(self) -> Call | None:
        self.end_overdue_trial()
        if self.state is State.OPEN and self.now > self.wait_is_over_at():
            self.go(State.HALF_OPEN, Cause.WAIT_OVER)
        refused = (
            self.state is State.OPEN
            or self.state is State.FORCED_OPEN
            or (self.state is State.HALF_OPEN and self.trial_calls_left() == 0)
        )
        if refused:
            self.refusals.append(len(self.stays) - 1)
            return None
        call = Call(admitted_in=len(self.stays) - 1)
        self.calls.append(call)
        return call

    def end(self, call: Call, end: End, duration: int) -> None:
        if end in {End.SUCCESS, End.FAILURE}:
            self.end_overdue_trial()
        call.end, call.duration, call.ended_at = end, duration, self.now
        self.ended.append(call)
        disabled_then = self.stays[call.admitted_in][0] is State.DISABLED
        call.counted = (
            end in {End.SUCCESS, End.FAILURE} and call.admitted_in in self.shown_stays() and not disabled_then
        )
        rates = self.rates()
        if not call.counted or rates is None:
            return
        exceeded = (
            rates[0] >= self.settings.failure_rate_threshold_percent
            or rates[1] >= self.settings.slow_call_rate_threshold_percent
        )
        if self.state in {State.CLOSED, State.HALF_OPEN} and exceeded:
            self.go(State.OPEN, Cause.RATES)
        elif self.state is State.HALF_OPEN:
            self.go(State.CLOSED, Cause.RATES)

    def tick(self) -> None:
        self.end_overdue_trial()
        if (
            self.settings.automatic_transition_from_open_to_half_open_enabled
            and self.state is State.OPEN
            and self.now >= self.wait_is_over_at()
        ):
            self.go(State.HALF_OPEN, Cause.WAIT_OVER)

    def snapshot(self) -> BreakerSnapshot:
        window = self.window()
        failure_rate, slow_call_rate = self.shown_rates()
        return BreakerSnapshot(
            state=self.state,
            failure_rate=failure_rate,
            slow_call_rate=slow_call_rate,
            buffered_calls=len(window),
            failed_calls=sum(call.failed for call in window),
            slow_calls=sum(call.slow for call in window),
            slow_failed_calls=sum(call.failed and call.slow for call in window),
            not_permitted_calls=sum(stay in self.shown_stays() for stay in self.refusals),
            retry_after_ms=self.retry_after_ms(),
        )

    def retry_after_ms(self) -> int:
        if self.state is State.FORCED_OPEN:
            return self.settings.wait_duration_in_open_state_ms
        if self.state is State.HALF_OPEN and self.trial_calls_left() == 0:
            return 1_000
        if self.state is not State.OPEN:
            return 0
        # The least whole number of milliseconds, from 1 on, after which the wait is over.
        return next(ms for ms in range(1, 10_000) if self.now + ms * MS > self.wait_is_over_at())


PERCENT = st.sampled_from([10, 25, 33.3, 50, 60, 100])
SETTINGS = st.builds(
    BreakerSettings,
    sliding_window_type=st.sampled_from(SlidingWindowType),
    sliding_window_size=st.integers(1, 6),
    minimum_number_of_calls=st.integers(1, 6),
    failure_rate_threshold_percent=PERCENT,
    slow_call_rate_threshold_percent=PERCENT,
    slow_call_duration_threshold_ms=st.just(SLOW_MS),
    wait_duration_in_open_state_ms=st.sampled_from([1, 999, 1_000, 2_500]),
    permitted_number_of_calls_in_half_open_state=st.integers(1, 4),
    automatic_transition_from_open_to_half_open_enabled=st.booleans(),
    max_wait_duration_in_half_open_state_ms=st.sampled_from([0, 0, 1, 700, 3_000]),
    transition_to_state_after_wait_duration=st.sampled_from([State.OPEN, State.CLOSED]),
)
ENDS = st.sampled_from([End.SUCCESS, End.SUCCESS, End.FAILURE, End.FAILURE, End.REJECTION, End.CANCELLATION])
DURATIONS = st.sampled_from([MS, SLOW_MS * MS, SLOW_MS * MS + 1])
STEPS = st.sampled_from([1, MS, 699 * MS, 700 * MS, 999 * MS, SECOND - 1, SECOND, SECOND + 1, 2_500 * MS, 7 * SECOND])


class BreakerAndModel(RuleBasedStateMachine):
    """Both get the same calls; both must look the same after each."""

    @initialize(chosen=SETTINGS, start=st.integers(0, 3 * SECOND))
    def begin(self, chosen: BreakerSettings, start: int) -> None:
        self.model = Model(chosen, now=start)
        self.breaker = CircuitBreaker("modelled", chosen, now_ns=lambda: self.model.now)
        self.changes: list[StateChanged] = []
        self.breaker.subscribe(self.hear)
        self.under_way: list[tuple[Permit, Call]] = []

    def hear(self, event: BreakerEvent) -> None:
        if isinstance(event, StateChanged):
            self.changes.append(event)

    def ask_both(self) -> tuple[Permit, Call] | None:
        permit = self.breaker.try_acquire()
        call = self.model.ask()
        assert (permit is None) == (call is None)
        return None if permit is None or call is None else (permit, call)

    def end_both(self, permit: Permit, call: Call, end: End, duration: int) -> None:
        match end:
            case End.SUCCESS:
                self.breaker.record_success(permit, duration)
            case End.FAILURE:
                self.breaker.record_error(permit, duration, Fault("gone"))
            case End.REJECTION:
                self.breaker.record_error(permit, duration, Rejection())
            case End.CANCELLATION:
                self.breaker.release(permit)
        self.model.end(call, end, duration)

    @rule()
    def ask(self) -> None:
        asked = self.ask_both()
        if asked:
            self.under_way.append(asked)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), end=ENDS, duration=DURATIONS)
    def end_one(self, data: st.DataObject, end: End, duration: int) -> None:
        which = data.draw(st.integers(0, len(self.under_way) - 1))
        self.end_both(*self.under_way.pop(which), end, duration)

    @rule(ends=st.lists(st.tuples(ENDS, DURATIONS), min_size=1, max_size=6))
    def call_one_after_another(self, ends: list[tuple[End, int]]) -> None:
        for end, duration in ends:
            asked = self.ask_both()
            if asked:
                self.end_both(*asked, end, duration)

    @rule(step=STEPS)
    def wait(self, step: int) -> None:
        self.model.now += step

    @rule()
    def wait_until_it_is_over(self) -> None:
        self.model.now = max(self.model.now, self.model.wait_is_over_at())

    @rule()
    def tick(self) -> None:
        self.breaker.tick()
        self.model.tick()

    @rule(state=st.sampled_from(State))
    def order(self, state: State) -> None:
        try:
            self.breaker.transition_to(state)
        except IllegalTransition:
            assert state in FORBIDDEN[self.model.state]
        else:
            assert state not in FORBIDDEN.get(self.model.state, set())
            self.model.go(state, Cause.ORDER)

    @rule()
    def reset(self) -> None:
        self.breaker.reset()
        self.model.go(State.CLOSED, Cause.ORDER)

    @invariant()
    def they_show_the_same(self) -> None:
        assert self.breaker.snapshot() == self.model.snapshot()

    @invariant()
    def they_moved_alike_and_for_the_same_reasons(self) -> None:
        assert [
            (told.left, told.entered, told.cause, told.failure_rate, told.slow_call_rate) for told in self.changes
        ] == self.model.changes


BreakerAndModel.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestBreakerAndModel = BreakerAndModel.TestCase
