"""Joining, looking, leaving: what every waiting line promises."""

import asyncio
from dataclasses import replace

import pytest

from stagedoor.kernel.clock import DAY_MS, HOUR_MS
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.idempotency import KEYS_PER_BUYER_MAX, IdempotencyKey, KeyReused, TooManyKeys
from stagedoor.kernel.ids import BuyerId, RoomId
from stagedoor.waiting_room.model import EndCause, PlaceState, Standing
from stagedoor.waiting_room.ports import Join, Joined, PlaceEnded
from stagedoor.waiting_room.rejections import LineIsFull, RoomIsClosed, UnknownPlace
from stagedoor.waiting_room.room import RoomState
from tests.builders.line import NOON, TICK_MS, a_ref, a_room
from tests.contract.line_stage import Stage

OTHER_ROOM = RoomId("vip")
KEY = IdempotencyKey(value="k-1", fingerprint="body")
SAME_KEY_OTHER_BODY = IdempotencyKey(value="k-1", fingerprint="another body")


@pytest.fixture
def stage(new_stage: Stage) -> Stage:
    new_stage.rooms.set(a_room(max_active=2))
    return new_stage


async def test_numbers_are_handed_out_in_the_order_of_the_batch_from_1_on(stage: Stage) -> None:
    assert await stage.join(70, 50, 60) == [1, 2, 3]
    assert await stage.join(40) == [4]


async def test_a_buyer_has_one_living_place(stage: Stage) -> None:
    assert await stage.join(7, 8, 7) == [1, 2, 1]
    assert await stage.join(7) == [1]


async def test_a_thousand_joins_of_200_buyers_at_once_give_200_places(stage: Stage) -> None:
    joins = await asyncio.gather(*(stage.join(1 + i % 200) for i in range(1_000)))

    numbers: dict[int, set[int]] = {}
    for i, [number] in enumerate(joins):
        numbers.setdefault(1 + i % 200, set()).add(number)
    assert {len(places) for places in numbers.values()} == {1}
    assert sorted(number for [number] in numbers.values()) == list(range(1, 201))
    assert stage.view().last_number == 200


async def test_the_joined_place_is_the_place_as_it_is(stage: Stage) -> None:
    [first, second] = await stage.try_join(7, 8)

    assert isinstance(first, Joined)
    assert isinstance(second, Joined)
    assert (first.place.position, second.place.position) == (1, 2)
    assert second.place.state is PlaceState.WAITING
    assert second.place.buyer_id == 8
    assert second.place.token_expires_at == NOON + 7 * DAY_MS
    assert not second.replayed


async def test_rooms_have_lines_of_their_own(stage: Stage) -> None:
    stage.rooms.set(a_room(OTHER_ROOM))

    outcomes = await stage.line.join(
        [Join(room=stage.room(room_id), buyer_id=BuyerId(7)) for room_id in (stage.room().id, OTHER_ROOM)]
    )

    assert [outcome.place.ref for outcome in outcomes if isinstance(outcome, Joined)] == [
        a_ref(1),
        a_ref(1, OTHER_ROOM),
    ]
    assert stage.view(OTHER_ROOM).waiting == 1


async def test_a_closed_room_gives_no_new_places(stage: Stage) -> None:
    await stage.join(7)
    await stage.turn()
    stage.rooms.set(replace(stage.room(), state=RoomState.CLOSED))

    [living, new] = await stage.try_join(7, 8)

    assert isinstance(living, Joined)
    assert isinstance(new, RoomIsClosed)


async def test_a_full_line_takes_nobody_until_somebody_is_gone(stage: Stage) -> None:
    stage.rooms.set(a_room(line_max=2, max_active=0))

    outcomes = await stage.try_join(7, 8, 9, 7)

    assert [isinstance(outcome, LineIsFull) for outcome in outcomes] == [False, False, True, False]
    await stage.end(1)
    assert await stage.join(9) == [3]


async def test_who_is_over_gets_a_new_place_at_the_back(stage: Stage) -> None:
    await stage.join(7, 8)
    await stage.end(1, EndCause.PAID)

    assert await stage.join(7) == [3]
    assert await stage.states(1, 2, 3) == [PlaceState.DONE, PlaceState.WAITING, PlaceState.WAITING]


async def test_what_is_used_up_is_done_once_and_what_is_over_or_unknown_is_passed_by(stage: Stage) -> None:
    await stage.join(7, 8, 9)
    await stage.turn()
    await stage.end(2)

    for _ in range(2):
        await stage.line.use_up([a_ref(1), a_ref(1), a_ref(2), a_ref(99), a_ref(1, RoomId("nowhere"))])

    assert await stage.states(1, 2, 3) == [PlaceState.DONE, PlaceState.EXPIRED, PlaceState.WAITING]
    assert await stage.join(7) == [4]


async def test_a_place_marked_as_used_up_is_over_for_whoever_asks_next(stage: Stage) -> None:
    await stage.join(7, 8, 9)
    await stage.turn()

    stage.line.mark_used_up(a_ref(1))
    assert stage.line.is_settled(a_ref(1), entering=True)
    shown = stage.line.look_at_once(a_ref(1))
    assert shown is not None
    assert (shown.state, shown.position, shown.session_ends_at) == (PlaceState.DONE, 0, None)

    assert await stage.states(1, 2, 3) == [PlaceState.DONE, PlaceState.ADMITTED, PlaceState.WAITING]
    assert stage.line.is_settled(a_ref(1))


async def test_a_place_marked_as_used_up_is_over_before_the_next_join(stage: Stage) -> None:
    await stage.join(7, 8)
    await stage.turn()

    stage.line.mark_used_up(a_ref(1))

    assert await stage.join(7) == [3]


async def test_a_place_marked_as_used_up_makes_room_in_the_next_turn(stage: Stage) -> None:
    await stage.join(7, 8, 9)
    await stage.turn()

    stage.line.mark_used_up(a_ref(1))
    await stage.turn(TICK_MS)

    assert await stage.states(1, 2, 3) == [PlaceState.DONE, PlaceState.ADMITTED, PlaceState.ADMITTED]


async def test_the_same_key_gives_the_first_place_again_also_when_that_is_over(stage: Stage) -> None:
    await stage.join(7, key=KEY)
    await stage.end(1)
    await stage.join(7)

    [again] = await stage.try_join(7, key=KEY)

    assert isinstance(again, Joined)
    assert again.replayed
    assert again.place.ref == a_ref(1)
    assert (again.place.state, again.place.position) == (PlaceState.WAITING, 1)  # as it was first answered


async def test_the_same_key_twice_in_one_batch_is_once_and_its_replay(stage: Stage) -> None:
    [first, second] = await stage.try_join(7, 7, key=KEY)

    assert isinstance(first, Joined)
    assert isinstance(second, Joined)
    assert (first.replayed, second.replayed) == (False, True)
    assert first.place.ref == second.place.ref


async def test_a_key_with_another_body_is_refused(stage: Stage) -> None:
    await stage.join(7, key=KEY)

    [refused] = await stage.try_join(7, key=SAME_KEY_OTHER_BODY)

    assert isinstance(refused, KeyReused)


async def test_a_key_is_the_buyer_s_own(stage: Stage) -> None:
    await stage.join(7, key=KEY)

    assert await stage.join(8, key=SAME_KEY_OTHER_BODY) == [2]


async def test_a_replay_comes_before_the_closed_room(stage: Stage) -> None:
    await stage.join(7, key=KEY)
    await stage.end(1)
    stage.rooms.set(replace(stage.room(), state=RoomState.CLOSED))

    [again] = await stage.try_join(7, key=KEY)

    assert isinstance(again, Joined)
    assert again.replayed


async def test_a_refusal_stores_no_key(stage: Stage) -> None:
    stage.rooms.set(replace(stage.room(), state=RoomState.CLOSED))
    await stage.try_join(7, key=KEY)
    stage.rooms.set(replace(stage.room(), state=RoomState.OPEN))

    [joined] = await stage.try_join(7, key=SAME_KEY_OTHER_BODY)

    assert isinstance(joined, Joined)
    assert not joined.replayed


async def test_keys_are_kept_for_a_day(stage: Stage) -> None:
    await stage.join(7, key=KEY)

    stage.clock.advance(DAY_MS - 1)
    [kept] = await stage.try_join(7, key=SAME_KEY_OTHER_BODY)
    stage.clock.advance(1)
    [free] = await stage.try_join(7, key=SAME_KEY_OTHER_BODY)

    assert isinstance(kept, KeyReused)
    assert isinstance(free, Joined)


async def test_a_buyer_has_a_hundred_keys_at_most(stage: Stage) -> None:
    room = stage.room()
    keys = [IdempotencyKey(value=f"k-{i}", fingerprint="body") for i in range(KEYS_PER_BUYER_MAX + 1)]
    joins = [Join(room=room, buyer_id=BuyerId(7), key=key) for key in keys]

    some = await stage.line.join(joins[:60])
    rest = await stage.line.join(joins[60:])

    outcomes: list[Joined | Rejection] = [*some, *rest]
    assert [type(outcome) for outcome in outcomes] == [Joined] * KEYS_PER_BUYER_MAX + [TooManyKeys]
    [replayed] = await stage.line.join(joins[:1])
    assert isinstance(replayed, Joined)
    stage.clock.advance(DAY_MS)
    [free] = await stage.line.join(joins[-1:])
    assert isinstance(free, Joined)


async def test_an_unknown_place_is_none(stage: Stage) -> None:
    await stage.join(7)

    assert await stage.line.look(a_ref(2)) is None
    assert await stage.line.look(a_ref(0)) is None
    assert await stage.line.look(a_ref(1, RoomId("nowhere"))) is None


async def test_a_look_says_how_the_place_stands(stage: Stage) -> None:
    await stage.join(7, 8, 9)
    await stage.turn()
    await stage.end(2)

    places = [await stage.look(number) for number in (1, 2, 3)]

    assert [place.standing for place in places] == [Standing.ADMITTED, Standing.OVER, Standing.WAITING]
    assert [place.position for place in places] == [0, 0, 1]
    assert places[0].session_ends_at == NOON + 600_000


@pytest.mark.parametrize(("cause", "state"), [(EndCause.LEFT, PlaceState.EXPIRED), (EndCause.PAID, PlaceState.DONE)])
async def test_a_place_ends_once(stage: Stage, cause: EndCause, state: PlaceState) -> None:
    await stage.join(7)
    await stage.turn()

    first, second = await stage.end(1, cause), await stage.end(1, EndCause.LEFT)

    assert isinstance(first, PlaceEnded)
    assert isinstance(second, PlaceEnded)
    assert (first.was_admitted, second.was_admitted) == (True, False)
    assert (first.place.state, second.place.state) == (state, state)


async def test_the_end_of_a_payment_may_come_twice_or_too_late(stage: Stage) -> None:
    await stage.join(7, 8)
    await stage.end(1)

    late = await stage.end(1, EndCause.PAID)
    await stage.end(2, EndCause.PAID)
    twice = await stage.end(2, EndCause.PAID)
    unknown = await stage.end(99, EndCause.PAID)

    assert isinstance(late, PlaceEnded)
    assert isinstance(twice, PlaceEnded)
    assert isinstance(unknown, UnknownPlace)
    assert await stage.states(1, 2) == [PlaceState.EXPIRED, PlaceState.DONE]


async def test_leaving_again_with_the_same_key_says_the_same(stage: Stage) -> None:
    await stage.join(7)
    await stage.end(1, key=KEY)

    again = await stage.end(1, key=KEY)

    assert isinstance(again, PlaceEnded)
    assert again.replayed
    assert not again.was_admitted


async def test_a_key_that_left_one_place_does_not_leave_another(stage: Stage) -> None:
    await stage.join(7)
    await stage.end(1, key=KEY)
    await stage.join(7)

    assert isinstance(await stage.end(2, key=KEY), KeyReused)
    assert await stage.states(2) == [PlaceState.WAITING]


async def test_joining_and_leaving_may_use_the_same_key(stage: Stage) -> None:
    await stage.join(7, key=KEY)

    left = await stage.end(1, key=KEY)

    assert isinstance(left, PlaceEnded)
    assert not left.replayed


async def test_a_revoked_place_is_gone_for_its_buyer_and_can_be_revoked_again(stage: Stage) -> None:
    await stage.join(7)

    first = await stage.end(1, EndCause.REVOKED, by="key:ops")
    again = await stage.end(1, EndCause.REVOKED, by="key:ops")

    assert isinstance(first, PlaceEnded)
    assert isinstance(again, PlaceEnded)
    assert first.place.state is PlaceState.REVOKED
    assert await stage.line.look(a_ref(1)) is None
    assert isinstance(await stage.end(1), UnknownPlace)
    assert await stage.audited() == [("key:ops", "place.revoke", "place:main/1")] * 2
    assert await stage.join(7) == [2]


async def test_a_place_that_is_over_stays_as_it_ended_when_it_is_revoked(stage: Stage) -> None:
    await stage.join(7)
    await stage.end(1, EndCause.PAID)

    revoked = await stage.end(1, EndCause.REVOKED, by="key:ops")

    assert isinstance(revoked, PlaceEnded)
    assert revoked.place.state is PlaceState.DONE
    assert await stage.audited() == [("key:ops", "place.revoke", "place:main/1")]


async def test_a_place_over_is_answered_for_an_hour_and_then_forgotten_when_told_to(stage: Stage) -> None:
    await stage.join(7, 8)
    await stage.end(1, key=KEY)
    stage.clock.advance(25 * HOUR_MS)
    assert await stage.states(1) == [PlaceState.EXPIRED]

    forgotten = await stage.forget()

    assert forgotten == 2
    assert await stage.line.look(a_ref(1)) is None
    assert (await stage.look(2)).position == 1
    await stage.crash()
    assert await stage.line.look(a_ref(1)) is None
    assert (await stage.look(2)).position == 1
    assert await stage.join(7) == [3]


async def test_a_room_without_a_line_shows_an_empty_one(stage: Stage) -> None:
    view = stage.view(RoomId("quiet"))

    assert (view.last_number, view.serving_number, view.waiting, view.active) == (0, 0, 0, 0)
    assert view.admitted_per_second is None
