"""What is over is kept for a day, and longer while a key names it; then it is gone, here and on the disk."""

import pytest

from stagedoor.kernel.clock import DAY_MS, HOUR_MS, later
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.waiting_room.model import PlaceState
from stagedoor.waiting_room.ports import Joined, PlaceEnded
from tests.builders.line import a_ref, a_room
from tests.contract.line_stage import Failing, Stage

KEY = IdempotencyKey(value="k-1", fingerprint="body")


@pytest.fixture
def stage(new_stage: Stage) -> Stage:
    new_stage.rooms.set(a_room(max_active=0))
    return new_stage


async def test_a_place_over_is_answered_for_as_long_as_it_is_kept(stage: Stage) -> None:
    await stage.join(7)
    await stage.end(1)

    stage.clock.advance(DAY_MS)
    assert await stage.forget() == 0
    assert await stage.states(1) == [PlaceState.EXPIRED]

    stage.clock.advance(1)
    assert await stage.forget() == 1
    assert await stage.line.look(a_ref(1)) is None


async def test_places_passes_and_keys_leave_nothing_behind(stage: Stage) -> None:
    stage.rooms.set(a_room(max_active=5))
    await stage.join(*range(1, 11), key=KEY)
    await stage.turn()
    for number in range(1, 9):
        await stage.end(number, key=KEY)
    assert await stage.rows() == (10, 5, 18)

    stage.clock.advance(DAY_MS + 1)
    assert await stage.forget() == 8 + 18

    assert await stage.rows() == (2, 0, 0)
    assert await stage.join(11) == [11]


async def test_a_place_that_a_kept_key_names_is_kept(stage: Stage) -> None:
    await stage.join(7)
    await stage.end(1)
    stage.clock.advance(20 * HOUR_MS)
    left_again = await stage.end(1, key=KEY)
    stage.clock.advance(20 * HOUR_MS)

    assert await stage.forget() == 0
    replayed = await stage.end(1, key=KEY)

    assert isinstance(left_again, PlaceEnded)
    assert isinstance(replayed, PlaceEnded)
    assert replayed.replayed
    stage.clock.advance(5 * HOUR_MS)
    assert await stage.forget() == 2
    assert await stage.line.look(a_ref(1)) is None


async def test_a_key_that_names_a_living_place_is_forgotten_and_the_place_is_not(stage: Stage) -> None:
    await stage.join(7, key=KEY)
    stage.clock.advance(DAY_MS + 1)

    assert await stage.forget() == 1
    assert await stage.states(1) == [PlaceState.WAITING]
    [again] = await stage.try_join(7, key=KEY)
    assert isinstance(again, Joined)
    assert not again.replayed


async def test_at_most_so_many_a_call(stage: Stage) -> None:
    await stage.join(*range(1, 8))
    for number in range(1, 8):
        await stage.end(number)
    stage.clock.advance(DAY_MS + 1)
    day_ago = later(stage.clock.now(), -DAY_MS)

    forgotten = [await stage.leftovers.forget(ended_before=day_ago, keys_before=day_ago, limit=3) for _ in range(4)]

    assert forgotten == [3, 3, 1, 0]


async def test_where_every_place_found_is_named_by_a_key_those_behind_come_next(stage: Stage) -> None:
    await stage.join(*range(1, 5))
    for number in range(1, 5):
        await stage.end(number)
    stage.clock.advance(20 * HOUR_MS)
    await stage.end(1, key=KEY)
    await stage.end(2, key=KEY)
    stage.clock.advance(5 * HOUR_MS)
    day_ago = later(stage.clock.now(), -DAY_MS)

    forgotten = [await stage.leftovers.forget(ended_before=day_ago, keys_before=day_ago, limit=2) for _ in range(2)]

    assert forgotten == [0, 2]
    assert await stage.states(1, 2) == [PlaceState.EXPIRED] * 2
    assert await stage.line.look(a_ref(3)) is None


async def test_what_could_not_be_removed_is_removed_the_next_time_round(stage: Stage) -> None:
    await stage.join(7, 8)
    await stage.end(1)
    stage.clock.advance(DAY_MS + 1)

    stage.failing = Failing.REFUSED
    with pytest.raises(Fault):
        await stage.forget()
    assert await stage.states(1) == [PlaceState.EXPIRED]

    stage.failing = Failing.NOT
    assert await stage.forget() == 1
    assert await stage.line.look(a_ref(1)) is None


async def test_order_and_positions_go_on_over_what_was_forgotten(stage: Stage) -> None:
    stage.rooms.set(a_room(max_active=2))
    await stage.join(*range(1, 8))
    await stage.turn()
    await stage.end(1)
    await stage.end(4)
    await stage.turn()
    stage.clock.advance(DAY_MS + 1)
    for number in (5, 6, 7):
        await stage.look(number)
    await stage.forget()
    await stage.crash()

    assert (await stage.look(5)).position == 1
    assert (await stage.look(7)).position == 3
    stage.rooms.set(a_room(max_active=4))
    await stage.turn()
    assert [one.number for one in await stage.passes()][-3:] == [5, 6, 7]
