"""Time in which nobody can be served does not count in the line, and brings nothing that was planned in it about."""

import asyncio

import pytest

from stagedoor.kernel.clock import later
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import HoldId
from stagedoor.waiting_room.model import PlaceState
from stagedoor.waiting_room.ports import HoldNote
from tests.builders.line import TICK_MS, a_ref, a_room
from tests.contract.line_stage import Failing, Stage

IDLE_MS = 30_000
AWAY_MS = 180_000
LONG_MS = 10 * AWAY_MS


@pytest.fixture
def stage(new_stage: Stage) -> Stage:
    new_stage.rooms.set(a_room(max_active=2))
    return new_stage


async def test_a_pass_and_its_silence_last_as_much_longer(stage: Stage) -> None:
    await stage.join(7)
    await stage.turn()
    before = await stage.look(1)
    assert before.session_ends_at is not None

    await stage.stand_still(LONG_MS)

    assert (await stage.turn(IDLE_MS - 1))[0].ended == 0
    assert [p.session_ends_at for p in await stage.passes()] == [before.session_ends_at + LONG_MS]
    assert (await stage.turn(1))[0].ended == 1


async def test_an_entry_can_be_taken_up_as_much_later(stage: Stage) -> None:
    await stage.join(7)
    await stage.turn()

    await stage.stand_still(LONG_MS)

    assert (await stage.turn(IDLE_MS - 1))[0].passed_over == 0
    assert (await stage.turn(1))[0].passed_over == 1


async def test_a_pass_with_seats_lasts_as_long_as_they_are_held(stage: Stage) -> None:
    stage.rooms.set(a_room(max_active=2, session_max_ms=10_000))
    await stage.join(7)
    await stage.turn()
    await stage.look(1)
    await stage.note_hold(1, 5, for_ms=60_000)

    await stage.stand_still(LONG_MS)

    assert (await stage.turn(59_999))[0].ended == 0
    assert (await stage.turn(1))[0].ended == 1


async def test_nobody_is_away_for_an_outage(stage: Stage) -> None:
    await stage.join(7, 8, 9)
    await stage.turn()

    await stage.stand_still(LONG_MS)
    await stage.turn(TICK_MS)

    assert (await stage.look(3)).position == 1
    assert stage.view().waiting == 1


async def test_an_absence_before_it_counts_with_the_one_after_it(stage: Stage) -> None:
    await stage.join(7, 8, 9, 10)
    stage.rooms.set(a_room(max_active=0))
    await stage.turn(AWAY_MS - 1_000)

    await stage.stand_still(LONG_MS)

    await stage.turn(999)
    assert stage.view().waiting == 4
    await stage.turn(1)
    assert stage.view().waiting == 0


async def test_what_was_planned_before_it_is_planned_again_after_it(stage: Stage) -> None:
    """The turn finds a pass due in the very moment in which the service stops, and cannot write it down."""
    await stage.join(7)
    await stage.turn()
    await stage.look(1)
    stage.clock.advance(IDLE_MS)
    stage.hold_writing()
    turn = asyncio.create_task(stage.turn())
    await stage.until_writing()
    # The last sign of life was a moment before the pass was due.
    await stage.stand_still(60_000, began_ms_ago=100)
    stage.let_writing_go()

    [report] = await turn

    assert report.ended == 0
    assert await stage.states(1) == [PlaceState.ADMITTED]


async def test_control_a_turn_that_is_not_planned_again_ends_it(stage: Stage) -> None:
    await stage.join(7)
    await stage.turn()
    await stage.look(1)

    assert (await stage.turn(IDLE_MS))[0].ended == 1


async def test_a_commit_in_doubt_is_settled_before_the_time_is_given_back(stage: Stage) -> None:
    """The journal has the pass, then its credit; so has memory, which hears of the pass later than of the credit."""
    await stage.join(7)
    stage.failing = Failing.ANSWER_LOST_AND_NOBODY_CAN_SAY
    with pytest.raises(Fault):
        await stage.turn()
    admitted_at = stage.clock.now()

    stage.failing = Failing.NOT
    await stage.stand_still(60_000)
    await stage.turn(TICK_MS)

    [journaled] = await stage.passes()
    assert (await stage.look(1)).session_ends_at == journaled.session_ends_at == admitted_at + 600_000 + 60_000


@pytest.mark.parametrize(("was_on_its_way", "lasts_ms"), [(True, 60_000), (False, 1_000)])
async def test_a_note_that_was_on_its_way_says_what_was_so_before_the_outage(
    stage: Stage, *, was_on_its_way: bool, lasts_ms: int
) -> None:
    """What the sale says of a hold, with the deadline it had before, arrives when that has been moved already."""
    stage.rooms.set(a_room(max_active=2, session_max_ms=10_000, idle_timeout_ms=1_000))
    await stage.join(7)
    await stage.turn()
    await stage.look(1)
    began_at = stage.clock.now()
    await stage.stand_still(59_000)
    note = HoldNote(
        ref=a_ref(1),
        hold_id=HoldId(5),
        until=later(began_at, 60_000),
        known_at=began_at if was_on_its_way else stage.clock.now(),
    )

    await stage.line.note_holds([note])

    assert (await stage.turn(lasts_ms - 1))[0].ended == 0
    assert (await stage.turn(1))[0].ended == 1
