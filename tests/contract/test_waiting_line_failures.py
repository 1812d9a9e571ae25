"""A commit that fails changes nothing, one whose answer is lost counts if it happened, and no answer runs ahead."""

import asyncio

import pytest

from stagedoor.kernel.errors import Fault
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.waiting_room.model import PlaceState
from stagedoor.waiting_room.ports import Joined
from tests.builders.line import TICK_MS, a_ref, a_room
from tests.contract.line_record import unfair
from tests.contract.line_stage import Failing, Stage

KEY = IdempotencyKey(value="k-1", fingerprint="body")
NOBODY_CAN_SAY = [Failing.ANSWER_LOST_AND_NOBODY_CAN_SAY, Failing.REFUSED_AND_NOBODY_CAN_SAY]


@pytest.fixture
def stage(new_stage: Stage) -> Stage:
    new_stage.rooms.set(a_room(max_active=2))
    return new_stage


async def test_a_join_that_could_not_be_journaled_has_not_happened(stage: Stage) -> None:
    stage.failing = Failing.REFUSED
    with pytest.raises(Fault):
        await stage.join(7, 8, key=KEY)

    stage.failing = Failing.NOT

    assert stage.view().last_number == 0
    assert await stage.line.look(a_ref(1)) is None
    assert await stage.join(9) == [1]
    [joined] = await stage.try_join(7, key=KEY)
    assert isinstance(joined, Joined)
    assert not joined.replayed


async def test_a_failed_turn_admits_nobody_and_the_next_one_goes_on_in_order(stage: Stage) -> None:
    await stage.join(*range(1, 6))
    stage.failing = Failing.REFUSED
    with pytest.raises(Fault):
        await stage.turn()
    assert stage.view().active == 0
    assert await stage.states(1) == [PlaceState.WAITING]

    stage.failing = Failing.NOT
    await stage.turn(TICK_MS)

    assert [admitted.number for admitted in await stage.passes()] == [1, 2]


async def test_a_failed_end_has_ended_nothing(stage: Stage) -> None:
    await stage.join(7)
    stage.failing = Failing.REFUSED
    with pytest.raises(Fault):
        await stage.end(1)

    stage.failing = Failing.NOT

    assert await stage.states(1) == [PlaceState.WAITING]


async def test_a_place_whose_use_failed_is_used_up_by_being_told_again(stage: Stage) -> None:
    await stage.join(7)
    stage.failing = Failing.REFUSED
    with pytest.raises(Fault):
        await stage.line.use_up([a_ref(1)])
    assert await stage.states(1) == [PlaceState.WAITING]

    stage.failing = Failing.NOT
    await stage.line.use_up([a_ref(1)])

    assert await stage.states(1) == [PlaceState.DONE]


async def test_a_mark_outlives_a_failure(stage: Stage) -> None:
    await stage.join(7)
    stage.failing = Failing.REFUSED
    stage.line.mark_used_up(a_ref(1))
    for _ in range(2):
        with pytest.raises(Fault):
            await stage.turn()
        # That she has paid is known: she has her answer while the store is out.
        assert await stage.states(1) == [PlaceState.DONE]

    stage.failing = Failing.NOT
    await stage.turn()

    assert await stage.states(1) == [PlaceState.DONE]
    await stage.crash()
    assert await stage.states(1) == [PlaceState.DONE]


async def test_a_commit_whose_answer_was_lost_counts(stage: Stage) -> None:
    stage.failing = Failing.ANSWER_LOST

    assert await stage.join(7, 8) == [1, 2]
    assert (await stage.turn())[0].admitted == 2
    await stage.look(1)
    await stage.turn(TICK_MS)
    await stage.end(1)
    await stage.end(2, key=KEY)

    stage.failing = Failing.NOT
    assert await stage.states(1, 2) == [PlaceState.EXPIRED, PlaceState.EXPIRED]
    assert await stage.join(9) == [3]
    await stage.crash()
    assert await stage.states(1, 2, 3) == [PlaceState.EXPIRED, PlaceState.EXPIRED, PlaceState.WAITING]


@pytest.mark.parametrize("failing", NOBODY_CAN_SAY)
async def test_a_join_nobody_could_say_anything_about_is_looked_up_before_the_next(
    stage: Stage, failing: Failing
) -> None:
    await stage.join(7)
    stage.failing = failing
    with pytest.raises(Fault):
        await stage.join(8)
    with pytest.raises(Fault):
        await stage.join(9)

    stage.failing = Failing.NOT
    happened = failing is Failing.ANSWER_LOST_AND_NOBODY_CAN_SAY

    assert await stage.join(9, 8) == ([3, 2] if happened else [2, 3])
    before = [(await stage.look(number)).buyer_id for number in (1, 2, 3)]
    await stage.crash()
    assert [(await stage.look(number)).buyer_id for number in (1, 2, 3)] == before


@pytest.mark.parametrize("failing", NOBODY_CAN_SAY)
async def test_while_nobody_can_say_whether_she_was_admitted_nobody_says(stage: Stage, failing: Failing) -> None:
    await stage.join(7, 8, 9)
    stage.failing = failing
    with pytest.raises(Fault):
        await stage.turn()

    with pytest.raises(Fault):
        await stage.line.look(a_ref(1))
    assert await stage.states(3) == [PlaceState.WAITING]

    stage.failing = Failing.NOT
    await stage.turn(TICK_MS)
    assert await stage.states(1, 2, 3) == [PlaceState.ADMITTED, PlaceState.ADMITTED, PlaceState.WAITING]
    assert unfair(await stage.passes()) == []


async def test_a_look_waits_for_the_commit_that_admits_her_and_nobody_else_does(stage: Stage) -> None:
    await stage.join(7, 8, 9)
    stage.hold_commits()
    turn = asyncio.create_task(stage.turn())
    await stage.until_committing()

    other = await stage.look(3)
    hers = asyncio.create_task(stage.look(1))
    done, _ = await asyncio.wait([hers], timeout=0.05)
    stage.let_commits_go()

    assert not done
    assert (other.state, other.position) == (PlaceState.WAITING, 3)
    assert (await hers).state is PlaceState.ADMITTED
    assert (await turn)[0].admitted == 2


async def test_a_look_waits_for_the_commit_that_ends_her_pass(stage: Stage) -> None:
    await stage.join(7)
    await stage.turn()
    await stage.look(1)
    stage.clock.advance(30_000)
    stage.hold_commits()
    turn = asyncio.create_task(stage.turn())
    await stage.until_committing()

    hers = asyncio.create_task(stage.look(1))
    done, _ = await asyncio.wait([hers], timeout=0.05)
    stage.let_commits_go()

    assert not done
    assert (await hers).state is PlaceState.EXPIRED
    await turn


async def test_a_look_that_waited_for_a_commit_that_failed_sees_the_place_as_it_was(stage: Stage) -> None:
    await stage.join(7)
    stage.hold_commits()
    stage.failing = Failing.REFUSED
    turn = asyncio.create_task(stage.turn())
    await stage.until_committing()
    hers = asyncio.create_task(stage.look(1))
    await asyncio.wait([hers], timeout=0.05)
    stage.let_commits_go()

    assert (await hers).state is PlaceState.WAITING
    with pytest.raises(Fault):
        await turn


async def test_a_place_not_yet_durable_is_not_seen(stage: Stage) -> None:
    stage.hold_commits()
    joining = asyncio.create_task(stage.join(7))
    await stage.until_committing()

    assert await stage.line.look(a_ref(1)) is None
    assert stage.view().last_number == 0
    stage.let_commits_go()
    assert await joining == [1]


async def test_a_caller_that_gives_up_loses_only_the_answer(stage: Stage) -> None:
    stage.hold_commits()
    joining = asyncio.create_task(stage.join(7))
    await stage.until_committing()
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    stage.let_commits_go()

    assert await stage.join(8, 7) == [2, 1]
    await stage.crash()
    assert await stage.join(8, 7) == [2, 1]


async def test_mutations_come_one_after_another(stage: Stage) -> None:
    stage.hold_commits()
    first = asyncio.create_task(stage.join(7))
    await stage.until_committing()
    second = asyncio.create_task(stage.join(8))
    turn = asyncio.create_task(stage.turn())
    stage.let_commits_go()

    assert [await first, await second] == [[1], [2]]
    assert (await turn)[0].admitted == 2
