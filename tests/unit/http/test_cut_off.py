"""Whoever may be cut off is, at her deadline, in her own task; what she has in a batch goes on."""

import asyncio
import time

import pytest
import uvloop

from stagedoor.http.under_way import UnderWay
from stagedoor.kernel.errors import DeadlineMissed
from stagedoor.kernel.ids import BuyerId
from stagedoor.resilience.breaker import CircuitBreaker
from tests.builders.deadlines import by, ours
from tests.builders.work import Step

ALICE = BuyerId(1)


async def cut_off_at(step: Step, guard: CircuitBreaker, *, deadline_s: float = 0.001) -> str:
    """Take it as the edge has it taken."""
    asking = UnderWay().settle(step, buyer_id=ALICE, call="pay", key=None, guard=guard, may_be_cut_off=True)
    return await by(ours(deadline_s), asking)


async def test_what_may_be_cut_off_is_awaited_by_its_caller(guard: CircuitBreaker) -> None:
    step = Step()
    caller = asyncio.ensure_future(cut_off_at(step, guard, deadline_s=60.0))
    await asyncio.sleep(0)

    others = asyncio.all_tasks() - {caller, asyncio.current_task()}
    await step.handle_the_rest()

    assert others == set()
    assert (await caller, step.told) == ("done", ["done"])


async def test_what_may_be_cut_off_goes_on_in_its_batch_when_its_caller_has_missed_it(guard: CircuitBreaker) -> None:
    step = Step()
    handling = asyncio.ensure_future(step.batcher.run())

    caller = asyncio.ensure_future(cut_off_at(step, guard, deadline_s=0.05))
    await step.is_in_hand.wait()
    with pytest.raises(DeadlineMissed):
        await caller
    await step.handle_the_rest()
    await handling

    assert (step.handled, step.told) == ([1], [])
    assert guard.snapshot().failed_calls == 1


async def test_whoever_somebody_else_cuts_off_too_late_has_missed_it_all_the_same(
    guard: CircuitBreaker,
) -> None:
    step, loop = Step(), asyncio.get_running_loop()
    caller = asyncio.ensure_future(cut_off_at(step, guard))
    await asyncio.sleep(0)
    loop.call_at(loop.time() + 0.002, caller.cancel)
    time.sleep(0.01)  # noqa: ASYNC251 -- the lag with which both come in one round of the loop

    with pytest.raises(DeadlineMissed):
        await caller
    await step.handle_the_rest()

    assert guard.snapshot().failed_calls == 1


def test_whoever_is_cut_off_while_her_answer_is_there_hears_it_and_goes_on(
    guard: CircuitBreaker,
) -> None:
    async def story() -> None:
        step = Step()
        handling = asyncio.ensure_future(step.batcher.run())
        caller = asyncio.ensure_future(cut_off_at(step, guard, deadline_s=0.05))
        await step.is_in_hand.wait()
        # The round that brings the answer ends after her deadline, and the loop that serves looks at its timers first.
        step.may_end.set()
        await asyncio.sleep(0)
        time.sleep(0.06)  # noqa: ASYNC251 -- as above

        assert (await caller, step.told, caller.cancelling()) == ("done", ["done"], 0)
        assert guard.snapshot().failed_calls == 0
        step.batcher.close()
        await handling

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())


async def test_what_may_be_cut_off_and_whose_caller_hangs_up_goes_on_and_says_nothing(guard: CircuitBreaker) -> None:
    step = Step()
    caller = asyncio.ensure_future(cut_off_at(step, guard, deadline_s=60.0))
    await asyncio.sleep(0)

    caller.cancel()
    await asyncio.wait([caller])
    await step.handle_the_rest()

    assert (caller.cancelled(), step.handled) == (True, [1])
    assert guard.snapshot().buffered_calls == 0
