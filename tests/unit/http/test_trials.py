"""What a call shows on trial, and that it shows it whoever asked, and in what hurry."""

import asyncio

import pytest

from stagedoor.http.rejections import StillRunning
from stagedoor.http.under_way import UnderWay
from stagedoor.kernel.clock import ManualClock
from stagedoor.kernel.errors import CallersDeadlineMissed, DeadlineMissed, Rejection
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId
from stagedoor.resilience.breaker import CircuitBreaker, State
from stagedoor.resilience.deadline import Deadline
from stagedoor.waiting_room.rejections import UnknownBuyer, UnknownPlace
from stagedoor.wallet.rejections import ChargeNotAllowed
from tests.builders.deadlines import by, hers
from tests.builders.work import Step, Work

ALICE = BuyerId(1)
KEY = IdempotencyKey(value="k", fingerprint="f")


async def refused(under_way: UnderWay, guard: CircuitBreaker, rejection: Rejection) -> None:
    async def work() -> None:
        raise rejection

    with pytest.raises(type(rejection)):
        await under_way.settle(work, buyer_id=ALICE, call="pay", key=None, guard=guard)


async def test_a_store_that_says_no_by_the_rules_closes_the_guard_after_its_trial(on_trial: CircuitBreaker) -> None:
    for _ in range(on_trial.settings.permitted_number_of_calls_in_half_open_state):
        await refused(UnderWay(), on_trial, Rejection())
    await refused(UnderWay(), on_trial, Rejection())

    assert on_trial.state is State.CLOSED
    assert on_trial.snapshot().buffered_calls == 0


@pytest.mark.parametrize("rejection", [ChargeNotAllowed(), UnknownBuyer(), UnknownPlace()])
async def test_what_is_refused_without_the_store_says_nothing_on_trial(
    on_trial: CircuitBreaker, rejection: Rejection
) -> None:
    for _ in range(on_trial.settings.permitted_number_of_calls_in_half_open_state):
        await refused(UnderWay(), on_trial, rejection)

    assert on_trial.state is State.HALF_OPEN
    assert on_trial.snapshot().buffered_calls == 0
    assert not on_trial.refuses


async def in_a_hurry(
    under_way: UnderWay, step: Step, guard: CircuitBreaker, key: IdempotencyKey | None, *, ours_s: float = 60.0
) -> None:
    """Ask with a deadline of a millisecond of her own."""
    asking = under_way.settle(step, buyer_id=ALICE, call="pay", key=key, guard=guard, may_be_cut_off=True)
    await by(hers(0.001, ours_s=ours_s), asking)


@pytest.mark.parametrize("key", [None, KEY], ids=["without a key", "with a key"])
@pytest.mark.parametrize("state", [State.OPEN, State.HALF_OPEN])
async def test_a_trial_goes_on_when_its_caller_was_in_a_hurry(
    clock: ManualClock, guard: CircuitBreaker, state: State, key: IdempotencyKey | None
) -> None:
    guard.transition_to(State.OPEN)
    clock.advance(2 * guard.settings.wait_duration_in_open_state_ms)
    if state is State.HALF_OPEN:
        guard.transition_to(state)
    under_way, step = UnderWay(), Step()
    handling = asyncio.ensure_future(step.batcher.run())

    with pytest.raises(CallersDeadlineMissed):
        await in_a_hurry(under_way, step, guard, key)
    meanwhile = guard.snapshot().buffered_calls
    await step.handle_the_rest()
    await handling
    await under_way.drain()

    assert (meanwhile, guard.snapshot().buffered_calls, guard.snapshot().failed_calls) == (0, 1, 0)


async def test_on_trial_too_a_repeated_call_is_told_that_the_first_still_runs(on_trial: CircuitBreaker) -> None:
    under_way, first, second = UnderWay(deadline_ms=5), Work(), Work()

    async def ask(work: Work) -> str:
        return await under_way.settle(work, buyer_id=ALICE, call="charge", key=KEY, guard=on_trial)

    with pytest.raises(DeadlineMissed):
        await ask(first)
    with pytest.raises(StillRunning):
        await ask(second)

    for work in (first, second):
        work.may_end.set()
    await under_way.drain()
    assert (first.ended, second.ended) == (1, 1)
    assert on_trial.snapshot().failed_calls == on_trial.snapshot().buffered_calls == 2


async def test_on_trial_too_one_that_is_sent_twice_at_once_is_told_that_the_first_still_runs(
    on_trial: CircuitBreaker,
) -> None:
    under_way, work = UnderWay(deadline_ms=5), Work()
    asked = [under_way.settle(work, buyer_id=ALICE, call="charge", key=KEY, guard=on_trial) for _ in range(2)]

    first, second = await asyncio.gather(*asked, return_exceptions=True)
    work.may_end.set()
    await under_way.drain()

    assert (type(first), type(second)) == (DeadlineMissed, StillRunning)
    assert on_trial.snapshot().failed_calls == on_trial.snapshot().buffered_calls == 2


async def test_repeats_alone_show_on_trial_that_the_store_still_hangs(
    clock: ManualClock, guard: CircuitBreaker
) -> None:
    under_way, works = UnderWay(deadline_ms=5), [Work() for _ in range(guard.settings.sliding_window_size)]

    async def ask(number: int) -> None:
        key = IdempotencyKey(value=f"k{number}", fingerprint="f")
        await under_way.settle(works[number], buyer_id=ALICE, call="pay", key=key, guard=guard)

    async def told() -> set[type]:
        trials = range(guard.settings.permitted_number_of_calls_in_half_open_state)
        return {type(end) for end in await asyncio.gather(*map(ask, trials), return_exceptions=True)}

    assert await told() == {DeadlineMissed}
    guard.transition_to(State.OPEN)
    clock.advance(2 * guard.settings.wait_duration_in_open_state_ms)
    assert await told() == {StillRunning}
    for work in works:
        work.may_end.set()
    await under_way.drain()

    assert guard.state is State.OPEN


async def test_what_a_trial_has_begun_is_waited_for_at_the_end(on_trial: CircuitBreaker) -> None:
    under_way, work = UnderWay(), Work()
    asking = asyncio.ensure_future(under_way.settle(work, buyer_id=ALICE, call="charge", key=None, guard=on_trial))
    await asyncio.sleep(0)

    # In the round in which the trial has begun, and nothing of it.
    draining = asyncio.ensure_future(under_way.drain())
    await asyncio.sleep(0)
    work.may_end.set()
    await draining

    assert (work.ended, await asking) == (1, "done")


async def test_a_trial_has_all_the_time_there_is_whatever_its_caller_waited_for_before(
    on_trial: CircuitBreaker,
) -> None:
    under_way, work = UnderWay(), Work()
    deadline = Deadline(asyncio.get_running_loop().time() + 0.001, ours_s=60.0)

    with pytest.raises(DeadlineMissed):
        await by(deadline, under_way.settle(work, buyer_id=ALICE, call="pay", key=None, guard=on_trial))
    work.may_end.set()
    await under_way.drain()

    assert (on_trial.snapshot().buffered_calls, on_trial.snapshot().failed_calls) == (1, 0)


async def test_a_trial_ends_at_our_own_deadline(on_trial: CircuitBreaker) -> None:
    under_way, step = UnderWay(), Step()

    with pytest.raises(CallersDeadlineMissed):
        await in_a_hurry(under_way, step, on_trial, None, ours_s=0.005)
    await under_way.drain()
    await step.handle_the_rest()

    assert on_trial.snapshot().failed_calls == 1
