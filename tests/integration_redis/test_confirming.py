"""Whoever leads asks the record before anybody is let in: by the way of writes, or another one leads who can ask."""

import contextlib

import pytest

from stagedoor.adapters.guarding import GuardedLanes
from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.errors import Fault
from stagedoor.resilience.breaker import CallNotPermitted, CircuitBreaker, State
from tests.builders.guards import a_breaker
from tests.integration_redis.lines import Process, Town, until


async def a_leader(town: Town) -> tuple[Process, CircuitBreaker, CircuitBreaker]:
    """Return who leads, with three who wait, and the breakers of its writes and its reads."""
    leader = town.start()
    clock = ManualClock(Instant(0))
    writes, reads = a_breaker(clock, name="database"), a_breaker(clock, name="databaseReads")
    record = leader.line._record  # noqa: SLF001 -- the others reach the database by no breaker of this process
    record._lanes = GuardedLanes(town.file, writes=writes, reads=reads)  # type: ignore[attr-defined]  # noqa: SLF001
    await leader.join(1, 2, 3)
    await leader.line.refresh()
    return leader, writes, reads


async def test_while_reads_are_given_up_people_are_let_in(town: Town) -> None:
    leader, _, reads = await a_leader(town)
    reads.transition_to(State.FORCED_OPEN)

    assert (await leader.turn()).admitted == 2


async def is_followed(leader: Process, follower: Process) -> bool:
    """Have both do what they do all the time; return whether the follower lets somebody in."""
    for work in (leader.line.refresh, leader.turn):
        with contextlib.suppress(Fault):
            await work()
    await follower.line.refresh()
    return (await follower.turn()).admitted == 2


async def test_who_cannot_ask_leaves_the_lead_to_somebody_who_can(town: Town) -> None:
    leader, writes, _ = await a_leader(town)
    follower = town.start()
    writes.transition_to(State.FORCED_OPEN)
    with pytest.raises(CallNotPermitted):
        await leader.turn()

    await until(lambda: is_followed(leader, follower))

    writes.transition_to(State.CLOSED)
    await leader.line.refresh()
    assert (await leader.turn()).admitted == 0
