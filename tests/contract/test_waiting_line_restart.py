"""Whatever was answered is still true after a crash, and the time without a process is given back."""

from dataclasses import replace

import pytest

from stagedoor.kernel.idempotency import IdempotencyKey, KeyReused
from stagedoor.kernel.ids import RoomId
from stagedoor.waiting_room.model import EndCause, PlaceState
from stagedoor.waiting_room.ports import Joined, PlaceEnded
from stagedoor.waiting_room.room import RoomState
from tests.builders.line import NOON, TICK_MS, a_ref, a_room
from tests.contract.line_record import too_fast, unfair
from tests.contract.line_stage import Stage

OTHER_ROOM = RoomId("vip")
KEY = IdempotencyKey(value="k-1", fingerprint="body")
AWAY_MS = 180_000


@pytest.fixture
def stage(new_stage: Stage) -> Stage:
    new_stage.rooms.set(a_room(max_active=2))
    return new_stage


async def test_places_numbers_and_positions_are_as_before(stage: Stage) -> None:
    stage.rooms.set(a_room(OTHER_ROOM, max_active=0))
    await stage.join(*range(101, 111))
    await stage.join(201, 202, room_id=OTHER_ROOM)
    await stage.turn()
    await stage.end(1, EndCause.PAID)
    await stage.end(5)
    before = [await stage.look(number) for number in range(1, 11)]

    await stage.crash()

    after = [await stage.look(number) for number in range(1, 11)]
    assert [(p.state, p.position, p.buyer_id, p.token_expires_at) for p in after] == [
        (p.state, p.position, p.buyer_id, p.token_expires_at) for p in before
    ]
    assert (await stage.look(2, OTHER_ROOM)).position == 2
    assert await stage.join(105, 110, 999) == [11, 10, 12]
    assert stage.view().last_number == 12


async def test_numbers_are_never_handed_out_twice_even_if_all_is_over(stage: Stage) -> None:
    await stage.join(7, 8)
    await stage.end(1)
    await stage.end(2)

    await stage.crash()

    assert await stage.join(7) == [3]


async def test_admission_goes_on_where_it_was(stage: Stage) -> None:
    await stage.join(*range(1, 8))
    await stage.turn()

    await stage.crash()
    assert (await stage.turn(TICK_MS))[0].admitted == 0
    await stage.look(1)
    await stage.end(1)
    await stage.turn(TICK_MS)

    passes = await stage.passes()
    assert [admitted.number for admitted in passes] == [1, 2, 3]
    assert unfair(passes) == []
    assert stage.view().serving_number == 3


@pytest.mark.parametrize("outage_ms", [0, 47_000])
async def test_running_sessions_get_the_outage_back(stage: Stage, outage_ms: int) -> None:
    await stage.join(7)
    await stage.turn()
    ends_at = (await stage.look(1)).session_ends_at
    assert ends_at is not None

    await stage.crash(outage_ms=outage_ms)
    after_one = (await stage.look(1)).session_ends_at
    await stage.crash()

    assert after_one == ends_at + outage_ms
    assert (await stage.look(1)).session_ends_at == ends_at + outage_ms
    assert [p.session_ends_at for p in await stage.passes()] == [ends_at + outage_ms]


async def test_everybody_counts_as_seen_at_the_restart(stage: Stage) -> None:
    await stage.join(7, 8, 9)
    await stage.turn()
    await stage.look(1)
    await stage.look(2)

    await stage.crash(outage_ms=10 * AWAY_MS)

    assert (await stage.turn(29_999))[0].ended == 0
    assert (await stage.look(3)).position == 1
    # The first pass has been taken up before the crash, but nobody had journaled that yet.
    assert await stage.states(1) == [PlaceState.ADMITTED]


async def test_what_was_taken_up_before_the_crash_is_idle_from_the_restart_on(stage: Stage) -> None:
    await stage.join(7)
    await stage.turn()
    await stage.look(1)
    await stage.turn(TICK_MS)

    await stage.crash(outage_ms=AWAY_MS)

    assert (await stage.turn(29_999))[0].ended == 0
    assert (await stage.turn(1))[0].ended == 1


async def test_a_pass_not_taken_up_can_still_be_after_the_restart(stage: Stage) -> None:
    await stage.join(7)
    await stage.turn()

    await stage.crash(outage_ms=AWAY_MS)

    assert (await stage.turn(30_000))[0].passed_over == 0
    assert (await stage.turn(60_000))[0].passed_over == 1


async def test_who_was_away_does_not_count_again(stage: Stage) -> None:
    stage.rooms.set(a_room(max_active=0))
    await stage.join(7, 8, 9)
    stage.clock.advance(AWAY_MS)
    await stage.look(3)
    await stage.turn()
    assert (await stage.look(3)).position == 1

    await stage.crash()

    assert (await stage.look(3)).position == 1
    assert stage.view().waiting == 1


async def test_who_stays_away_after_the_restart_stops_counting_too(stage: Stage) -> None:
    stage.rooms.set(a_room(max_active=0))
    await stage.join(7, 8, 9)
    await stage.crash()

    await stage.turn(AWAY_MS - 1)
    assert (await stage.look(3)).position == 3
    await stage.turn(1)

    assert (await stage.look(3)).position == 1


async def test_who_was_passed_over_enters_next_once_she_is_heard_of_again(stage: Stage) -> None:
    stage.rooms.set(a_room(max_active=1, state=RoomState.PAUSED))
    await stage.join(7, 8, 9, 10)
    stage.clock.advance(AWAY_MS)
    await stage.look(3)
    await stage.look(4)
    stage.rooms.set(a_room(max_active=1))
    await stage.turn()

    await stage.crash()
    await stage.end(3)
    await stage.look(2)
    await stage.turn()

    assert [(p.number, p.returner) for p in await stage.passes()] == [(3, False), (2, True)]


async def test_keys_are_as_before(stage: Stage) -> None:
    await stage.join(7, key=KEY)
    left = await stage.end(1, key=KEY)

    await stage.crash()

    [joined] = await stage.try_join(7, key=KEY)
    [reused] = await stage.try_join(7, key=IdempotencyKey(value="k-1", fingerprint="other"))
    again = await stage.end(1, key=KEY)
    assert isinstance(left, PlaceEnded)
    assert isinstance(joined, Joined)
    assert joined.replayed
    assert isinstance(reused, KeyReused)
    assert isinstance(again, PlaceEnded)
    assert again.replayed


async def test_a_revoked_place_stays_revoked(stage: Stage) -> None:
    await stage.join(7)
    await stage.end(1, EndCause.REVOKED)

    await stage.crash()

    assert await stage.line.look(a_ref(1)) is None


async def test_the_rate_holds_over_the_restart(stage: Stage) -> None:
    rate = 10.0
    stage.rooms.set(a_room(max_active=1_000, rate=rate))
    await stage.join(*range(1, 101))
    for tick in range(12):
        await stage.turn(TICK_MS)
        if tick % 4 == 3:
            await stage.crash()
            await stage.turn()

    passes = await stage.passes()
    assert too_fast(passes, rate) == []
    assert len(passes) >= 20


async def test_notes_of_holds_are_to_be_brought_again(stage: Stage) -> None:
    await stage.join(7)
    await stage.turn()
    await stage.look(1)
    await stage.note_hold(1, hold=5, for_ms=300_000)

    await stage.crash()
    await stage.note_hold(1, hold=5, for_ms=300_000)

    assert (await stage.turn(299_999))[0].ended == 0
    assert (await stage.turn(1))[0].ended == 1


async def test_a_room_closed_meanwhile_ends_what_waits(stage: Stage) -> None:
    await stage.join(7, 8, 9)
    await stage.turn()
    stage.rooms.set(replace(stage.room(), closes_at=NOON))

    await stage.crash()
    [report] = await stage.turn()

    assert report.ended == 1
    assert await stage.states(3) == [PlaceState.EXPIRED]
