"""Whoever is cut off at her deadline is told so by what she waits for, which knows what that says of it."""

import asyncio
import time

import pytest

from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.errors import DeadlineMissed
from stagedoor.observability.until import until
from stagedoor.resilience.breaker import CircuitBreaker
from tests.builders.deadlines import by, ours
from tests.builders.guards import a_breaker

LAG_S = 0.01


async def waiting_for_ever(guard: CircuitBreaker) -> None:
    deadline = ours(0.001)

    async def wait() -> None:
        with guard.call():
            async with until(deadline):
                await asyncio.Event().wait()

    await by(deadline, wait())


async def test_to_be_cut_off_twice_at_one_deadline_is_to_miss_it() -> None:
    guard = a_breaker(ManualClock(Instant(0)))
    caller = asyncio.ensure_future(waiting_for_ever(guard))
    await asyncio.sleep(0)
    time.sleep(LAG_S)  # noqa: ASYNC251 -- the lag with which both come in one round of the loop

    with pytest.raises(DeadlineMissed):
        await caller

    assert guard.snapshot().failed_calls == 1


async def test_to_be_cut_off_before_it_is_not() -> None:
    guard = a_breaker(ManualClock(Instant(0)))

    async def wait() -> None:
        with guard.call():
            async with until(ours(60.0)):
                await asyncio.Event().wait()

    caller = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])

    assert caller.cancelled()
    assert guard.snapshot().buffered_calls == 0
