"""The breaker itself: a call gets a permit, its end is counted where the permit came from, and the rates decide."""

from typing import Final

from stagedoor.resilience.breaker.bulletin import Bulletin
from stagedoor.resilience.breaker.events import (
    BreakerReset,
    CallFailed,
    CallIgnored,
    CallRefused,
    CallSucceeded,
    Cause,
    FailureRateExceeded,
    Listener,
    SlowCallRateExceeded,
    StateChanged,
)
from stagedoor.resilience.breaker.guarded_call import GuardedCall
from stagedoor.resilience.breaker.permits import UNCOUNTED, CallNotPermitted, IllegalTransition, Permit
from stagedoor.resilience.breaker.settings import BreakerSettings, SlidingWindowType
from stagedoor.resilience.breaker.snapshot import BreakerSnapshot
from stagedoor.resilience.breaker.states import State, may_follow
from stagedoor.resilience.breaker.totals import Tally, Totals
from stagedoor.resilience.breaker.verdicts import FAULTS_FAIL, Classify, Verdict
from stagedoor.resilience.breaker.windows import (
    FAILED,
    SLOW,
    SUCCEEDED,
    CountWindow,
    MonotonicNs,
    TimeWindow,
    Window,
    rates_of,
)

MS_NS: Final = 1_000_000

TRIAL_RETRY_AFTER_MS: Final = 1_000
"""What a call refused in HALF_OPEN is told: nobody knows when the trial calls under way will end."""

_COUNT_ALL: Final = frozenset({State.CLOSED, State.METRICS_ONLY})
_SILENT: Final = frozenset({State.DISABLED, State.FORCED_OPEN})


class CircuitBreaker:
    """
    A circuit breaker with the rules of Resilience4j 2.3.0, save what ADR 9 lists.

    Single-threaded: every method runs to its end on one thread. It keeps no timer: what
    time alone brings about happens at the next call, or at `tick` if its owner calls that.
    """

    __slots__ = (
        "_admits_all",
        "_bulletin",
        "_classify",
        "_era",
        "_failure_rate_told",
        "_failure_threshold",
        "_is_silent",
        "_not_permitted",
        "_now_ns",
        "_open_until_ns",
        "_slow_above_ns",
        "_slow_rate_told",
        "_slow_threshold",
        "_state",
        "_trial_due_ns",
        "_trials_left",
        "_window",
        "name",
        "settings",
        "totals",
    )

    def __init__(
        self, name: str, settings: BreakerSettings, *, now_ns: MonotonicNs, classify: Classify = FAULTS_FAIL
    ) -> None:
        self.name: Final = name
        self.settings: Final = settings
        self.totals: Final = Totals(now_ns)
        self._now_ns = now_ns
        self._classify = classify
        self._bulletin = Bulletin()
        self._failure_threshold = settings.failure_rate_threshold_percent
        self._slow_threshold = settings.slow_call_rate_threshold_percent
        self._slow_above_ns = settings.slow_call_duration_threshold_ms * MS_NS
        self._era = UNCOUNTED
        self._state = State.CLOSED
        self._admits_all = True
        self._is_silent = False
        self._open_until_ns = 0
        self._trials_left = 0
        self._trial_due_ns: int | None = None
        self._begin_window()

    @property
    def state(self) -> State:
        """The state as the last call or tick left it: looking changes nothing."""
        return self._state

    @property
    def refuses(self) -> bool:
        """Whether the next call would be refused, if it came now: looking changes nothing."""
        match self._state:
            case State.FORCED_OPEN:
                return True
            case State.OPEN:
                return self._now_ns() <= self._open_until_ns
            case State.HALF_OPEN:
                return self._trials_left == 0 and not self._is_trial_overdue()
            case _:
                return False

    @property
    def tries(self) -> bool:
        """
        Whether the next call would be a trial, if it came now.

        Looking changes nothing, so what comes behind an overdue trial is not foreseen.
        """
        if self._admits_all:  # as nearly always: each call asks
            return False
        if self._state is State.HALF_OPEN:
            return self._trials_left > 0 and not self._is_trial_overdue()
        return self._state is State.OPEN and not self.refuses

    def snapshot(self) -> BreakerSnapshot:
        """Return the state with its numbers as of now."""
        failure_rate, slow_call_rate = rates_of(self._window)
        _, failed, slow, slow_failed = self._window.counts
        return BreakerSnapshot(
            state=self._state,
            failure_rate=failure_rate,
            slow_call_rate=slow_call_rate,
            buffered_calls=self._window.total,
            failed_calls=failed + slow_failed,
            slow_calls=slow + slow_failed,
            slow_failed_calls=slow_failed,
            not_permitted_calls=self._not_permitted,
            retry_after_ms=self._retry_after_ms(),
        )

    def subscribe(self, listener: Listener, *, calls: bool = True) -> None:
        """
        Tell *listener* every event from now on.

        Without *calls* it is spared those of single calls, and the calls the time it takes to tell it.
        """
        self._bulletin.subscribe(listener, calls=calls)

    def call(self) -> GuardedCall:
        """
        Guard the body of a `with`, which may await: `with breaker.call(): await ...`.

        Entering raises `CallNotPermitted`. A body that ends is a success, one that raises
        is what the classification says, and a cancelled one gives its permit back. So a
        deadline belongs inside the body, where it ends in a fault: outside it only
        cancels, and a dependency that hangs would never open the breaker.
        """
        return GuardedCall(self, self._now_ns)

    def acquire(self) -> Permit:
        """Return a permit, to be ended in one of the ways below, or raise `CallNotPermitted`."""
        if self._admits_all:
            return self._era
        permit = self.try_acquire()
        if permit is None:
            raise CallNotPermitted(self.name, self._state, retry_after_ms=self._retry_after_ms())
        return permit

    def try_acquire(self) -> Permit | None:
        """Return a permit, or None if the call is not permitted."""
        if self._admits_all:
            return self._era
        permit = self._permit_for_one()
        if permit is None:
            self._not_permitted += 1
            if not self._is_silent:
                self.totals.refused += 1
                if self._bulletin.of_calls:
                    self._bulletin.add_call(CallRefused(breaker=self.name, state=self._state))
        self._bulletin.publish()
        return permit

    def look_again(self, permit: Permit) -> None:
        """
        Return if a call that has not reached the dependency yet still may, or raise `CallNotPermitted`.

        On trial those do that were let pass since the trial began, and nobody from before.
        """
        if self._admits_all or self._state is State.DISABLED:
            return
        if self._state is not State.HALF_OPEN or permit != self._era:
            retry_after_ms = self._retry_after_ms() or TRIAL_RETRY_AFTER_MS
            raise CallNotPermitted(self.name, self._state, retry_after_ms=retry_after_ms)

    def record_success(self, permit: Permit, duration_ns: int) -> None:
        """Count the call as a success."""
        slow = duration_ns > self._slow_above_ns  # exactly the threshold is not slow
        if self._add(self.totals.successful, duration_ns):
            self._bulletin.add_call(CallSucceeded(breaker=self.name, duration_ns=duration_ns, slow=slow))
        self._count(permit, SUCCEEDED + SLOW if slow else SUCCEEDED)

    def record_error(self, permit: Permit, duration_ns: int, error: Exception) -> None:
        """Count the call as the classification of *error* says."""
        try:
            verdict = self._classify(error)
        except BaseException:
            self.release(permit)
            raise
        match verdict:
            case Verdict.SUCCESS:
                self.record_success(permit, duration_ns)
            case Verdict.FAILURE:
                slow = duration_ns > self._slow_above_ns
                if self._add(self.totals.failed, duration_ns):
                    event = CallFailed(breaker=self.name, duration_ns=duration_ns, slow=slow, error=error)
                    self._bulletin.add_call(event)
                self._count(permit, FAILED + SLOW if slow else FAILED)
            case Verdict.NONE:
                self.release(permit)
                if self._add(self.totals.ignored, duration_ns):
                    self._bulletin.add_call(CallIgnored(breaker=self.name, duration_ns=duration_ns, error=error))
                    self._bulletin.publish()

    def release(self, permit: Permit) -> None:
        """Give the permit back: the call says nothing about the dependency."""
        if permit == self._era and self._state is State.HALF_OPEN:
            self._trials_left += 1
            assert self._trials_left + self._window.total <= self.settings.permitted_number_of_calls_in_half_open_state

    def tick(self) -> None:
        """
        Do what is due by now: end an overdue trial; leave OPEN if that is automatic.

        An overdue trial ended when it was due, however late the tick, so that the wait in
        OPEN that may follow counts from there.
        """
        now_ns = self._now_ns()
        self._end_overdue_trial(now_ns)
        automatic = self.settings.automatic_transition_from_open_to_half_open_enabled
        if automatic and self._state is State.OPEN and now_ns >= self._open_until_ns:
            self._enter(State.HALF_OPEN, Cause.WAIT_OVER, at_ns=now_ns)
        self._bulletin.publish()

    def transition_to(self, state: State) -> None:
        """
        Go to *state* now, or raise `IllegalTransition`.

        Every state but OPEN begins a new window, also if the breaker is in *state*
        already; OPEN shows the numbers of the state before it, and waits anew.
        """
        if not may_follow(self._state, state):
            raise IllegalTransition(self.name, self._state, state)
        self._enter(state, Cause.ORDER, at_ns=self._now_ns())
        self._bulletin.publish()

    def reset(self) -> None:
        """Begin afresh: closed, with an empty window."""
        self._enter(State.CLOSED, Cause.ORDER, at_ns=self._now_ns())
        if self._bulletin.listeners:
            self._bulletin.add(BreakerReset(breaker=self.name))
            self._bulletin.publish()

    def _permit_for_one(self) -> Permit | None:
        if self._state is State.DISABLED:
            return UNCOUNTED
        if self._state is State.FORCED_OPEN:
            return None
        now_ns = self._now_ns()
        self._end_overdue_trial(now_ns)
        # The wait is exclusive: 30 s after opening a call is refused, 1 ns later it is a trial.
        if self._state is State.OPEN and now_ns > self._open_until_ns:
            self._enter(State.HALF_OPEN, Cause.WAIT_OVER, at_ns=now_ns)
        if self._admits_all:  # an overdue trial may end in CLOSED
            return self._era
        if self._trials_left == 0:
            return None
        self._trials_left -= 1
        return self._era

    def _retry_after_ms(self) -> int:
        match self._state:
            case State.OPEN:
                return max(0, self._open_until_ns - self._now_ns()) // MS_NS + 1
            case State.FORCED_OPEN:
                return self.settings.wait_duration_in_open_state_ms
            case State.HALF_OPEN if not self._trials_left:
                return TRIAL_RETRY_AFTER_MS
            case _:
                return 0

    def _add(self, tally: Tally, duration_ns: int) -> bool:
        """Add a call to *tally*, and return whether anybody listens to single calls; a silent breaker has none."""
        if self._is_silent:
            return False
        tally.add(duration_ns)
        return bool(self._bulletin.of_calls)

    def _count(self, permit: Permit, outcome: int) -> None:
        if self._trial_due_ns is not None:
            self._end_overdue_trial(self._now_ns())
        # A call counts in the window it was admitted under. If the breaker has gone on, that
        # window is either the one that OPEN still shows, where nothing is decided, or gone.
        if permit == self._era:
            window = self._window
            window.add(outcome)
            # Where all did what they should there is nothing to judge, save on trial; every call would pay for it.
            if window.total >= window.minimum and (window.counts[SUCCEEDED] < window.total or not self._admits_all):
                self._judge(window)
        if self._bulletin.pending:
            self._bulletin.publish()

    def _judge(self, window: Window) -> None:
        _, failed, slow, slow_failed = window.counts
        failures_exceed = (failed + slow_failed) * 100 >= self._failure_threshold * window.total
        slow_exceed = (slow + slow_failed) * 100 >= self._slow_threshold * window.total
        if failures_exceed or slow_exceed:
            if self._bulletin.listeners and self._state in _COUNT_ALL:
                self._keep_rates(failures_exceed=failures_exceed, slow_exceed=slow_exceed)
            if self._state is State.CLOSED or self._state is State.HALF_OPEN:
                self._enter(State.OPEN, Cause.RATES, at_ns=self._now_ns())
        elif self._state is State.HALF_OPEN:
            self._enter(State.CLOSED, Cause.RATES, at_ns=self._now_ns())

    def _is_trial_overdue(self) -> bool:
        return self._trial_due_ns is not None and self._now_ns() >= self._trial_due_ns

    def _end_overdue_trial(self, now_ns: int) -> None:
        due_ns = self._trial_due_ns
        if due_ns is not None and now_ns >= due_ns:
            self._enter(self.settings.transition_to_state_after_wait_duration, Cause.TRIAL_OVERDUE, at_ns=due_ns)

    def _enter(self, state: State, cause: Cause, *, at_ns: int) -> None:
        if self._bulletin.listeners and state is not self._state:
            self._keep_transition(state, cause)
        self._state = state
        self._admits_all = state in _COUNT_ALL
        self._is_silent = state in _SILENT
        self._trials_left = 0
        self._trial_due_ns = None
        if state is State.OPEN:
            self._open_until_ns = at_ns + self.settings.wait_duration_in_open_state_ms * MS_NS
            return
        self._begin_window()
        if state is State.HALF_OPEN:
            self._trials_left = self.settings.permitted_number_of_calls_in_half_open_state
            if longest_ms := self.settings.max_wait_duration_in_half_open_state_ms:
                self._trial_due_ns = at_ns + longest_ms * MS_NS

    def _begin_window(self) -> None:
        settings = self.settings
        size, minimum = settings.sliding_window_size, settings.minimum_number_of_calls
        self._window: Window
        if self._state is State.HALF_OPEN:
            self._window = CountWindow(settings.permitted_number_of_calls_in_half_open_state, minimum=minimum)
        elif settings.sliding_window_type is SlidingWindowType.COUNT_BASED:
            self._window = CountWindow(size, minimum=minimum)
        else:
            self._window = TimeWindow(size, minimum=minimum, now_ns=self._now_ns)
        self._era = Permit(self._era + 1)
        self._not_permitted = 0
        self._failure_rate_told = False
        self._slow_rate_told = False

    def _keep_rates(self, *, failures_exceed: bool, slow_exceed: bool) -> None:
        failure_rate, slow_call_rate = rates_of(self._window)
        if failures_exceed and not self._failure_rate_told:
            self._failure_rate_told = True
            self._bulletin.add(FailureRateExceeded(breaker=self.name, failure_rate=failure_rate))
        if slow_exceed and not self._slow_rate_told:
            self._slow_rate_told = True
            self._bulletin.add(SlowCallRateExceeded(breaker=self.name, slow_call_rate=slow_call_rate))

    def _keep_transition(self, entered: State, cause: Cause) -> None:
        failure_rate, slow_call_rate = rates_of(self._window)
        self._bulletin.add(
            StateChanged(
                breaker=self.name,
                left=self._state,
                entered=entered,
                cause=cause,
                failure_rate=failure_rate,
                slow_call_rate=slow_call_rate,
            )
        )
