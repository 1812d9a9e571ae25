"""The limit of calls under way, whatever comes in whatever order: it keeps its bounds, counts right, and recovers."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stagedoor.resilience.concurrency_limit import SHARES, WINDOW_S, ConcurrencyLimit
from stagedoor.resilience.priority import Priority

PRIORITIES = st.sampled_from(Priority)


class AnyCrowd(RuleBasedStateMachine):
    """A crowd that calls and is answered as it pleases. The model is a list of those who are under way."""

    @initialize(least=st.integers(1, 20), most=st.integers(20, 400), target_s=st.floats(0.05, 5))
    def open(self, least: int, most: int, target_s: float) -> None:
        self.least, self.most = least, most
        self.limit = ConcurrencyLimit(target_s=target_s, least=least, most=most)
        self.now = 0.0
        self.under_way: list[tuple[Priority, float]] = []

    @rule(seconds=st.floats(0, 3))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(priority=PRIORITIES, calls=st.integers(1, 100))
    def call(self, priority: Priority, calls: int) -> None:
        for _ in range(calls):
            let_in = self.limit.has_room(priority, self.now)
            assert let_in is self._should_be_let_in(priority)
            if let_in:
                self.limit.begin(priority, self.now)
                self.under_way.append((priority, self.now))

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 1_000_000), calls=st.integers(1, 100))
    def answer(self, which: int, calls: int) -> None:
        for _ in range(min(calls, len(self.under_way))):
            priority, began = self.under_way.pop(which % len(self.under_way))
            self.limit.end(priority, began, self.now)

    @rule()
    def quiet(self) -> None:
        """Once everybody is answered and nobody comes for a minute, the next burst is let in whole."""
        while self.under_way:
            priority, began = self.under_way.pop()
            self.limit.end(priority, began, self.now)
        self.now += WINDOW_S
        self.limit.has_room(Priority.HEALTH, self.now)
        self.now += 60
        self.limit.has_room(Priority.HEALTH, self.now)

        assert self.limit.limit == self.most

    @invariant()
    def it_stays_in_its_bounds(self) -> None:
        if hasattr(self, "limit"):
            assert self.least <= self.limit.limit <= self.most

    @invariant()
    def it_counts_who_is_under_way(self) -> None:
        if hasattr(self, "limit"):
            assert self.limit.under_way == len(self.under_way)

    def _should_be_let_in(self, priority: Priority) -> bool:
        if priority is Priority.HEALTH:
            return True
        if priority is Priority.PAY:
            return len(self.under_way) < self.most
        return len(self.under_way) < SHARES[priority] * self.limit.limit


TestAnyCrowd = AnyCrowd.TestCase
