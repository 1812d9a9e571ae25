"""What a line shows of itself: a place to its buyer, the line to everybody."""

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import PlaceRef
from stagedoor.waiting_room.columns import ADMITTED, PASSED_OVER, WAITING
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.model import LineView, PlaceState, PlaceView
from stagedoor.waiting_room.policy import (
    POLL_MS_COMFORT,
    expected_wait_ms,
    poll_admitted_ms,
    poll_after_ms,
    poll_before_opening_ms,
)
from stagedoor.waiting_room.room import Room, RoomState

_STATES = (PlaceState.EXPIRED, *PlaceState)


def show_place(state: LineState, ref: PlaceRef, row: int, room: Room, now: Instant) -> PlaceView:
    """Return the known place at *row* as its buyer may see it at *now*."""
    columns = state.columns
    place_state = columns.states[row]
    if place_state == ADMITTED:
        return _show_admitted(state, ref, row, room, now)
    if place_state in (WAITING, PASSED_OVER):
        position = state.position(row)
        poll_ms, wait_ms = _prospects(state, position, ref.number, room, now)
    else:
        position, poll_ms, wait_ms = 0, POLL_MS_COMFORT, None
    return PlaceView(
        ref,
        state.buyer(row),
        _STATES[place_state],
        position,
        Instant(columns.token_expires_at[row]),
        poll_ms,
        wait_ms,
    )


def show_used_up(place: PlaceView | None) -> PlaceView | None:
    """Return *place* as over because its buyer has paid, unless it is over already: that she has is durable."""
    if place is None or not place.state.is_live:
        return place
    return PlaceView(place.ref, place.buyer_id, PlaceState.DONE, 0, place.token_expires_at, POLL_MS_COMFORT)


def show_line(state: LineState) -> LineView:
    """Return the line as everybody may see it."""
    return LineView(
        room_id=state.room_id,
        serving_number=state.serving,
        last_number=state.columns.last_number,
        waiting=state.columns.counting_total,
        active=len(state.passes),
        admitted_per_second=state.pace.per_second,
    )


def _show_admitted(state: LineState, ref: PlaceRef, row: int, room: Room, now: Instant) -> PlaceView:
    columns = state.columns
    running = state.passes[ref.number]
    return PlaceView(
        ref=ref,
        buyer_id=state.buyer(row),
        state=PlaceState.ADMITTED,
        position=0,
        token_expires_at=Instant(columns.token_expires_at[row]),
        poll_after_ms=poll_admitted_ms(room.policy),
        estimated_wait_ms=0,
        admitted_at=running.admitted_at,
        session_ends_at=running.session_ends_at,
        idle_ends_at=running.silent_until(seen_at=columns.seen_at[row], policy=room.policy),
        holds_until=running.holds_until(now),
    )


def _prospects(state: LineState, position: int, number: int, room: Room, now: Instant) -> tuple[int, int | None]:
    """Return when to ask again and how long the wait will be, both in milliseconds."""
    polls_per_second = room.policy.polls_per_second
    room_state = room.state_at(now)
    if room_state is RoomState.UPCOMING and room.opens_at is not None:
        opens_in_ms = room.opens_at - now
        poll_ms = poll_before_opening_ms(
            opens_in_ms=opens_in_ms,
            position=position,
            number=number,
            waiting=state.waiting,
            polls_per_second=polls_per_second,
        )
        wait_ms = _wait_ms(state, position, room, 0)
        return poll_ms, None if wait_ms is None else opens_in_ms + int(wait_ms)
    active = len(state.passes)
    moves = room_state is RoomState.OPEN and state.seats_free
    wait_ms = _wait_ms(state, position, room, active) if moves else None
    poll_ms = poll_after_ms(
        position=position,
        number=number,
        waiting=len(state.living) - active,
        polls_per_second=polls_per_second,
        wait_ms=wait_ms,
    )
    return poll_ms, None if wait_ms is None else int(wait_ms)


def _wait_ms(state: LineState, position: int, room: Room, active: int) -> float | None:
    return expected_wait_ms(
        position=position,
        policy=room.policy,
        active=active,
        per_second=state.pace.per_second,
        mean_pass_ms=state.pace.mean_pass_ms,
    )
