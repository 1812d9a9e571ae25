"""What is told by hand is what the wire's own types say, byte for byte."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.http.queue import place_report, report_json
from stagedoor.kernel.clock import HOUR_MS, later
from stagedoor.kernel.ids import BuyerId
from stagedoor.kernel.sale_state import SaleState
from stagedoor.waiting_room.model import PlaceState, PlaceView
from stagedoor.waiting_room.ports import RoomSupply
from stagedoor.waiting_room.room import RoomState
from stagedoor.waiting_room.use_cases import PlaceStatus
from tests.builders.line import NOON, a_ref, a_room

PLAIN = PlaceStatus(
    place=PlaceView(
        ref=a_ref(7),
        buyer_id=BuyerId(1),
        state=PlaceState.WAITING,
        position=30,
        token_expires_at=later(NOON, HOUR_MS),
        poll_after_ms=2_000,
        estimated_wait_ms=11_001,
    ),
    room=replace(a_room(), opens_at=NOON),
    room_state=RoomState.OPEN,
    supply=RoomSupply(free=1, held=0, next_hold_ends_at=None),
    now=NOON,
)

INSTANTS = st.none() | st.integers(-5_000, 600_000).map(lambda ms: later(NOON, ms))
PLACES = st.builds(
    PLAIN.place._replace,
    state=st.sampled_from(PlaceState),
    position=st.integers(0, 2_000_000),
    poll_after_ms=st.integers(1, HOUR_MS),
    estimated_wait_ms=st.none() | st.integers(0, 10 * HOUR_MS),
    session_ends_at=INSTANTS,
    idle_ends_at=INSTANTS,
    holds_until=INSTANTS,
)
SUPPLIES = st.builds(
    RoomSupply,
    free=st.integers(0, 3),
    held=st.integers(0, 3),
    next_hold_ends_at=INSTANTS,
    sale=st.sampled_from(SaleState),
)
STATUSES = st.builds(
    PLAIN._replace,
    place=PLACES,
    room_state=st.sampled_from(RoomState),
    supply=SUPPLIES,
    is_paused=st.booleans(),
    is_stale=st.booleans(),
)


def test_what_a_crowd_is_told() -> None:
    assert report_json(PLAIN) == (
        b'{"queuePosition":30,"status":"WAITING","estimatedWaitSeconds":12,"pollAfterMs":2000,"roomState":"OPEN"}'
    )


@given(STATUSES)
def test_by_hand_or_not_it_is_the_same(status: PlaceStatus) -> None:
    assert report_json(status) == msgspec.json.encode(place_report(status))


@given(st.none() | st.integers(0, 10 * HOUR_MS), st.integers(1, 2_000_000), st.integers(1, HOUR_MS))
def test_so_it_is_for_a_crowd(wait_ms: int | None, position: int, poll_ms: int) -> None:
    place = PLAIN.place._replace(estimated_wait_ms=wait_ms, position=position, poll_after_ms=poll_ms)
    status = PLAIN._replace(place=place)

    assert report_json(status) == msgspec.json.encode(place_report(status))


@pytest.mark.parametrize("sale", [SaleState.HOLDS_ONLY_FINISH, SaleState.STOPPED])
def test_a_stopped_sale_is_told_to_a_crowd_too(sale: SaleState) -> None:
    status = PLAIN._replace(supply=replace(PLAIN.supply, sale=sale))

    told = report_json(status)

    assert told == msgspec.json.encode(place_report(status))
    assert b'"saleState"' in told
