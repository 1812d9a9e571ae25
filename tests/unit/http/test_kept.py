import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from stagedoor.http.kept import READS_AT_ONCE, STALE_MS_MAX, Fallback, Kept
from stagedoor.kernel.clock import FOREVER, Instant, ManualClock, later
from stagedoor.kernel.errors import CallersDeadlineMissed, DeadlineMissed, Fault
from stagedoor.resilience.breaker import CallNotPermitted, CircuitBreaker, State
from stagedoor.resilience.deadline import due
from tests.builders.deadlines import hers
from tests.builders.guards import a_breaker

AGED_MS_MAX = 60_000


class Store:
    """Counts its reads; a read waits while the gate is shut."""

    def __init__(self) -> None:
        self.reads = 0
        self.value = "first"
        self.is_out = False
        self.bug: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self) -> str:
        self.reads += 1
        if self.is_out:
            raise Fault("out")
        value = self.value
        await self.gate.wait()
        if self.bug is not None:
            raise self.bug
        return value


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(Instant(1_000_000))


def kept(
    store: Store,
    clock: ManualClock,
    good_until: Callable[[str], Instant] = lambda _: FOREVER,
    guard: CircuitBreaker | None = None,
) -> Kept[str]:
    fallback = Fallback(machine_clock=clock, stale_ms_max=AGED_MS_MAX)
    return Kept(store.read, clock, fallback, good_until=good_until, guard=guard or a_breaker(clock))


async def got(value: Kept[str]) -> str:
    """Return what is given, which has to be what is stored."""
    given = await value.get()
    assert given.fault is None
    return given.value


async def begun(call: Awaitable[str]) -> asyncio.Future[str]:
    """Start *call* and return once it waits for something."""
    task = asyncio.ensure_future(call)
    await turns()
    return task


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_it_is_read_once_for_all(clock: ManualClock) -> None:
    store = Store()
    value = kept(store, clock)

    values = await asyncio.gather(*(got(value) for _ in range(50)))

    assert set(values) == {"first"}
    assert store.reads == 1


async def test_a_change_is_seen_at_once_by_a_lone_reader(clock: ManualClock) -> None:
    store = Store()
    value = kept(store, clock)
    await value.get()
    store.value = "second"

    value.changed()

    assert await got(value) == "second"
    assert store.reads == 2


async def test_a_row_of_changes_is_read_a_few_times_and_then_by_the_clock(clock: ManualClock) -> None:
    store = Store()
    value = kept(store, clock)

    for _ in range(300):
        value.changed()
        await value.get()
        clock.advance(1)

    assert store.reads <= READS_AT_ONCE + 300 // STALE_MS_MAX + 1


async def test_who_asks_in_the_very_round_in_which_a_read_ends_begins_another_one(clock: ManualClock) -> None:
    store = Store()
    value = kept(store, clock)
    for _ in range(READS_AT_ONCE - 1):
        value.changed()
        await value.get()
    store.gate.clear()
    value.changed()
    first = await begun(got(value))
    ends = asyncio.get_running_loop().create_future()

    async def asks_as_it_ends() -> str:
        await ends
        value.changed()
        clock.advance(STALE_MS_MAX + 1)
        return await got(value)

    second = await begun(asks_as_it_ends())
    store.value = "second"
    # The read is woken first, and then, before anybody can be told that it has ended, she is.
    store.gate.set()
    ends.set_result(None)

    assert await second == "second"
    await first


async def test_nothing_older_than_the_limit_is_given(clock: ManualClock) -> None:
    store = Store()
    value = kept(store, clock)
    written_at = 0
    for written_at in range(1_000):
        store.value = str(written_at)
        value.changed()
        assert written_at - int(await got(value)) <= STALE_MS_MAX
        clock.advance(1)

    assert store.reads < 20


async def test_a_value_has_an_end(clock: ManualClock) -> None:
    store = Store()
    until = later(clock.now(), 500)
    value = kept(store, clock, lambda read: until if read == "first" else FOREVER)
    await value.get()
    store.value = "second"

    clock.advance(499)
    before = await got(value)
    clock.advance(1)

    assert before == "first"
    assert await got(value) == "second"


async def test_who_asks_after_a_change_does_not_get_what_was_read_before_it(clock: ManualClock) -> None:
    store = Store()
    value = kept(store, clock)
    store.gate.clear()
    early = await begun(got(value))
    clock.advance(STALE_MS_MAX + 1)
    store.value = "second"
    value.changed()
    clock.advance(STALE_MS_MAX + 1)
    late = await begun(got(value))

    store.gate.set()

    assert await early == "first"
    assert await late == "second"
    assert store.reads == 2


async def test_a_failed_read_fails_those_who_wait_and_nobody_else(clock: ManualClock) -> None:
    store = Store()
    value = kept(store, clock)
    store.is_out = True
    with pytest.raises(Fault, match="out"):
        await value.get()

    store.is_out = False

    assert await got(value) == "first"


async def test_an_outage_after_a_change_is_not_hidden(clock: ManualClock) -> None:
    store = Store()
    value = kept(store, clock)
    await value.get()
    store.is_out = True
    value.changed()
    clock.advance(STALE_MS_MAX + 1)

    given = await value.get()

    assert (given.value, given.stale_ms, str(given.fault)) == ("first", STALE_MS_MAX + 1, "out")


async def test_an_old_value_stands_in_for_so_long_and_no_longer(clock: ManualClock) -> None:
    store = Store()
    value = kept(store, clock)
    await value.get()
    store.is_out = True
    value.changed()

    clock.advance(AGED_MS_MAX)
    last = await value.get()
    clock.advance(1)

    assert (last.value, last.stale_ms) == ("first", AGED_MS_MAX)
    with pytest.raises(Fault, match="out"):
        await value.get()


async def test_a_value_ages_by_the_machines_clock_while_that_of_the_service_stands(clock: ManualClock) -> None:
    store, machine = Store(), ManualClock(clock.now())
    value = Kept(
        store.read,
        clock,
        Fallback(machine_clock=machine, stale_ms_max=AGED_MS_MAX),
        good_until=lambda _: later(clock.now(), 1),
        guard=a_breaker(clock),
    )
    await value.get()
    store.is_out = True
    clock.advance(1)

    machine.advance(AGED_MS_MAX + 1)
    last = await value.get()
    machine.advance(1)

    assert last.stale_ms == AGED_MS_MAX
    with pytest.raises(Fault, match="out"):
        await value.get()


async def test_while_the_clock_of_the_service_stands_a_change_is_seen_no_later_than_ever(clock: ManualClock) -> None:
    store, machine = Store(), ManualClock(clock.now())
    fallback = Fallback(machine_clock=machine, stale_ms_max=AGED_MS_MAX)
    value = Kept(store.read, clock, fallback, good_until=lambda _: FOREVER, guard=a_breaker(clock))
    for _ in range(READS_AT_ONCE):
        value.changed()
        await value.get()
    store.value = "second"
    value.changed()

    machine.advance(STALE_MS_MAX + 1)

    assert await got(value) == "second"


async def test_a_value_does_not_end_while_the_clock_that_ends_it_stands(clock: ManualClock) -> None:
    store, machine = Store(), ManualClock(clock.now())
    until = later(clock.now(), 500)
    fallback = Fallback(machine_clock=machine, stale_ms_max=AGED_MS_MAX)
    value = Kept(store.read, clock, fallback, good_until=lambda _: until, guard=a_breaker(clock))
    await value.get()

    machine.advance(1_000)

    assert await got(value) == "first"
    assert store.reads == 1


async def test_a_read_that_hangs_does_not_keep_the_last_value_back(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stagedoor.http.kept.PATIENCE_MS", 1)
    store = Store()
    value = kept(store, clock)
    await value.get()
    store.gate.clear()
    store.value = "second"
    value.changed()

    hanging = await value.get()
    store.gate.set()

    assert (hanging.value, type(hanging.fault)) == ("first", DeadlineMissed)
    assert store.reads == 2
    assert await got(value) == "second"
    assert store.reads == 2


async def test_a_reader_who_gives_up_takes_nothing_from_the_others(clock: ManualClock) -> None:
    store = Store()
    value = kept(store, clock)
    store.gate.clear()
    first = await begun(got(value))
    second = await begun(got(value))

    first.cancel()
    store.gate.set()

    assert await second == "first"
    assert store.reads == 1


async def test_a_bug_of_a_read_that_nobody_waits_for_is_told_in_the_log(clock: ManualClock) -> None:
    store = Store()
    store.bug = KeyError("a bug")
    store.gate.clear()
    gone = await begun(got(kept(store, clock)))

    with capture_logs() as lines:
        gone.cancel()
        store.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await gone
        for _ in range(3):
            await asyncio.sleep(0)

    assert [line["event"] for line in lines] == ["work.failed_unheard"]


async def test_the_guard_counts_who_waits_for_a_read_and_nobody_else(clock: ManualClock) -> None:
    store, guard = Store(), a_breaker(clock)
    value = kept(store, clock, guard=guard)
    store.gate.clear()
    waiting = [await begun(got(value)) for _ in range(3)]
    store.gate.set()
    await asyncio.gather(*waiting)

    for _ in range(10):
        await got(value)

    assert store.reads == 1
    assert guard.snapshot().buffered_calls == 3


async def test_while_the_guard_is_open_nothing_is_read(clock: ManualClock) -> None:
    store, guard = Store(), a_breaker(clock)
    value, never_read = kept(store, clock, guard=guard), kept(store, clock, guard=guard)
    await got(value)
    guard.transition_to(State.FORCED_OPEN)
    fresh = await value.get()
    value.changed()
    clock.advance(STALE_MS_MAX + 1)

    old = await value.get()
    with pytest.raises(CallNotPermitted):
        await never_read.get()

    assert fresh.fault is None
    assert (old.value, type(old.fault)) == ("first", CallNotPermitted)
    assert store.reads == 1


async def test_a_trial_goes_on_when_whoever_began_it_has_gone(clock: ManualClock, on_trial: CircuitBreaker) -> None:
    store = Store()
    value = kept(store, clock, guard=on_trial)
    store.gate.clear()
    with due(hers(60.0)):
        hurried = await begun(got(value))

    hurried.cancel()
    await asyncio.wait([hurried])
    meanwhile = on_trial.snapshot().buffered_calls
    store.gate.set()
    await turns()

    assert hurried.cancelled()
    assert (meanwhile, on_trial.snapshot().buffered_calls, on_trial.snapshot().failed_calls) == (0, 1, 0)


async def test_on_trial_too_whoever_is_in_a_hurry_is_given_the_last_good_value(
    clock: ManualClock, on_trial: CircuitBreaker
) -> None:
    store = Store()
    value = kept(store, clock, guard=on_trial)
    await got(value)
    on_trial.transition_to(State.HALF_OPEN)  # anew: that was a trial
    value.changed()
    clock.advance(STALE_MS_MAX + 1)
    store.gate.clear()

    with due(hers(0.01)):
        given = await value.get()

    assert (given.value, type(given.fault)) == ("first", CallersDeadlineMissed)
    assert on_trial.snapshot().buffered_calls == 0
    store.gate.set()
    await turns()
    assert (on_trial.snapshot().buffered_calls, on_trial.snapshot().failed_calls) == (1, 0)


async def test_a_trial_ends_at_our_own_deadline(clock: ManualClock, on_trial: CircuitBreaker) -> None:
    store, ended = Store(), asyncio.Event()
    value = kept(store, clock, guard=on_trial)
    on_trial.subscribe(lambda _: ended.set())
    store.gate.clear()

    with due(hers(0.001, ours_s=0.01)), pytest.raises(CallersDeadlineMissed):
        await value.get()
    await ended.wait()

    assert on_trial.snapshot().failed_calls == 1
    store.gate.set()
