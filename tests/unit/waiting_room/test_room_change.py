import math
from dataclasses import replace

import pytest

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import RoomId
from stagedoor.waiting_room.rejections import RoomIsClosed
from stagedoor.waiting_room.room import Room, RoomPolicy, RoomState
from stagedoor.waiting_room.room_change import (
    LAST_INSTANT,
    POLICY_RANGES,
    ImpossibleRoomChange,
    RoomAction,
    RoomChange,
    act_on,
)

NOON = Instant(1_800_000_000_000)
BEFORE = Instant(NOON - 1)
AFTER = Instant(NOON + 1)


def a_room(
    state: RoomState = RoomState.OPEN, *, opens_at: Instant | None = None, closes_at: Instant | None = None
) -> Room:
    return Room(
        id=RoomId("main"), name="Main", state=state, policy=RoomPolicy(), opens_at=opens_at, closes_at=closes_at
    )


def test_every_figure_of_a_policy_can_be_changed() -> None:
    assert set(POLICY_RANGES) == set(RoomPolicy.__slots__)


@pytest.mark.parametrize("name", list(POLICY_RANGES))
def test_a_room_can_work_with_every_figure_in_range(name: str) -> None:
    for value in (POLICY_RANGES[name].least, POLICY_RANGES[name].most):
        replace(RoomPolicy(), **{name: value})  # type: ignore[arg-type]  # each name has its own kind of figure
        RoomChange(policy={name: value})
    RoomChange(policy={name: None})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_active", -1),
        ("max_active", 1_000_001),
        ("max_active", 1.5),
        ("max_active", True),
        ("rate", 0),
        ("rate", -1),
        ("rate", 0.0009),
        ("rate", math.nan),
        ("rate", math.inf),
        ("rate", 1_000_000.1),
        ("idle_timeout_ms", 0),
        ("idle_timeout_ms", 86_400_001),
        ("session_max_ms", 0),
        ("away_after_ms", -5),
        ("entry_window_ms", 0),
        ("line_max", 0),
        ("polls_per_second", 0),
        ("holds", 1),
    ],
)
def test_a_figure_out_of_range_is_named(name: str, value: float) -> None:
    with pytest.raises(ImpossibleRoomChange, match=f"^{name} ") as impossible:
        RoomChange(policy={name: value})

    assert impossible.value.field == name


@pytest.mark.parametrize(
    ("instant", "bound"),
    [
        (Instant(-1), "must not be before the year 1970"),
        (Instant(LAST_INSTANT + 1), "must be before the year 10000"),
    ],
)
def test_an_instant_that_is_no_date_is_refused_by_the_bound_that_it_is_beyond(instant: Instant, bound: str) -> None:
    with pytest.raises(ImpossibleRoomChange, match=f"^opens_at {bound}$"):
        RoomChange(opens_at=instant)
    with pytest.raises(ImpossibleRoomChange, match=f"^closes_at {bound}$"):
        RoomChange(closes_at=instant)
    assert RoomChange(opens_at=Instant(0), closes_at=LAST_INSTANT).opens_at == 0


def test_what_is_not_named_stays() -> None:
    room = a_room(opens_at=BEFORE, closes_at=AFTER)

    assert RoomChange().is_empty
    assert RoomChange().times_of(room) == room
    assert RoomChange(opens_at=None).times_of(room) == a_room(closes_at=AFTER)
    assert RoomChange(closes_at=None).times_of(room) == a_room(opens_at=BEFORE)


def test_a_room_opens_before_it_closes() -> None:
    room = a_room(opens_at=NOON)

    assert RoomChange(closes_at=AFTER).times_of(room).closes_at == AFTER
    with pytest.raises(ImpossibleRoomChange, match=r"^closes_at must have the room open before it closes"):
        RoomChange(closes_at=NOON).times_of(room)
    with pytest.raises(ImpossibleRoomChange, match=r"^opens_at "):
        RoomChange(opens_at=AFTER).times_of(a_room(closes_at=NOON))


def test_to_open_means_now() -> None:
    assert act_on(a_room(RoomState.PAUSED), RoomAction.OPEN, NOON) == a_room()
    assert act_on(a_room(opens_at=BEFORE), RoomAction.OPEN, NOON) == a_room(opens_at=BEFORE)
    assert act_on(a_room(opens_at=AFTER), RoomAction.OPEN, NOON) == a_room(opens_at=NOON)
    assert act_on(a_room(closes_at=AFTER), RoomAction.OPEN, NOON) == a_room(closes_at=AFTER)
    assert act_on(a_room(closes_at=NOON), RoomAction.OPEN, NOON) == a_room()
    assert act_on(a_room(RoomState.CLOSED), RoomAction.OPEN, NOON).state_at(NOON) is RoomState.OPEN


def test_to_pause_keeps_what_there_is() -> None:
    assert act_on(a_room(opens_at=AFTER), RoomAction.PAUSE, NOON) == a_room(RoomState.PAUSED, opens_at=AFTER)


@pytest.mark.parametrize("room", [a_room(RoomState.CLOSED), a_room(closes_at=NOON)])
def test_a_closed_room_is_not_paused(room: Room) -> None:
    with pytest.raises(RoomIsClosed):
        act_on(room, RoomAction.PAUSE, NOON)


def test_to_close_closes() -> None:
    assert act_on(a_room(opens_at=AFTER), RoomAction.CLOSE, NOON).state_at(NOON) is RoomState.CLOSED
