"""Leases: one holder at a time, and a fence that rises each time another takes over."""

import asyncio

import pytest

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.leases import SqlLeases
from stagedoor.kernel.lease import Fence, LeaseSight

NAME = "relay"


@pytest.fixture
def leases(lanes: Lanes) -> SqlLeases:
    return SqlLeases(lanes)


async def test_a_lease_nobody_ever_held_is_nobodys(leases: SqlLeases) -> None:
    assert await leases.look(NAME) == LeaseSight(Fence(0), 0, None)


async def test_it_is_taken_by_whoever_saw_it_as_it_is(leases: SqlLeases) -> None:
    assert await leases.take(NAME, await leases.look(NAME), holder="ann") == 1

    assert await leases.look(NAME) == LeaseSight(Fence(1), 1, "ann")


async def test_of_many_who_are_first_at_once_one_gets_it(leases: SqlLeases) -> None:
    seen = await leases.look(NAME)

    fences = await asyncio.gather(*(leases.take(NAME, seen, holder=f"p{number}") for number in range(8)))

    assert sorted(fence for fence in fences if fence is not None) == [1]


async def test_of_many_who_take_over_at_once_one_gets_it(leases: SqlLeases) -> None:
    await leases.take(NAME, await leases.look(NAME), holder="ann")
    seen = await leases.look(NAME)

    fences = await asyncio.gather(*(leases.take(NAME, seen, holder=f"p{number}") for number in range(8)))

    assert sorted(fence for fence in fences if fence is not None) == [2]


async def test_a_beat_that_moved_on_keeps_it(leases: SqlLeases) -> None:
    fence = await leases.take(NAME, await leases.look(NAME), holder="ann")
    seen = await leases.look(NAME)
    assert fence is not None
    assert await leases.renew(NAME, fence)

    assert await leases.take(NAME, seen, holder="bob") is None
    assert await leases.look(NAME) == LeaseSight(fence, seen.beat + 1, "ann")


async def test_who_was_followed_renews_nothing(leases: SqlLeases) -> None:
    sleeper = await leases.take(NAME, await leases.look(NAME), holder="ann")
    leader = await leases.take(NAME, await leases.look(NAME), holder="bob")
    assert sleeper is not None
    assert leader is not None

    assert not await leases.renew(NAME, sleeper)
    await leases.give_back(NAME, sleeper)

    assert await leases.renew(NAME, leader)
    assert (await leases.look(NAME)).holder == "bob"


async def test_what_was_given_back_is_nobodys_and_its_fence_goes_on(leases: SqlLeases) -> None:
    fence = await leases.take(NAME, await leases.look(NAME), holder="ann")
    assert fence is not None

    await leases.give_back(NAME, fence)

    seen = await leases.look(NAME)
    assert seen.holder is None
    assert await leases.take(NAME, seen, holder="bob") == fence + 1


async def test_one_lease_is_not_another(leases: SqlLeases) -> None:
    await leases.take(NAME, await leases.look(NAME), holder="ann")

    assert await leases.look("other") == LeaseSight(Fence(0), 0, None)
    assert await leases.take("other", await leases.look("other"), holder="bob") == 1
