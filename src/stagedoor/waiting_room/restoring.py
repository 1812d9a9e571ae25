"""A line is taken up again from what was journaled of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from stagedoor.kernel.clock import Instant, later
from stagedoor.kernel.ids import RoomId
from stagedoor.waiting_room.admission_pass import AdmissionPass
from stagedoor.waiting_room.away import granule
from stagedoor.waiting_room.columns import ADMITTED, Columns
from stagedoor.waiting_room.line import Line
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.policy import entry_window_ms, most_told_ms
from stagedoor.waiting_room.room import RoomPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPass:
    """A pass that runs."""

    number: int
    admitted_at: Instant
    session_ends_at: Instant
    entered_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLine:
    """
    What was journaled of one line.

    In *columns* `seen_at` of every living place is the instant of the restart.
    *last_admitted_at* is the instant of the last admission there ever was.
    """

    room_id: RoomId
    columns: Columns
    passes: Sequence[StoredPass]
    serving_number: int
    last_admitted_at: Instant | None


def take_up(stored: StoredLine, policy: RoomPolicy, *, at: Instant) -> Line:
    """Return the line of `take_up_state`."""
    return Line(take_up_state(stored, policy, at=at))


def take_up_state(stored: StoredLine, policy: RoomPolicy, *, at: Instant) -> LineState:
    """
    Return the memory of the line, in which every living buyer counts as seen at *at*.

    Whoever was passed over has to be heard of again before she enters next. A
    pass that was not taken up yet can be for as long as if it were new.
    """
    columns = stored.columns
    state = LineState(stored.room_id, columns, last_admitted_at=stored.last_admitted_at)
    told_ms = most_told_ms(position=1, waiting=1, polls_per_second=policy.polls_per_second)
    entry_ends_at = later(at, entry_window_ms(policy, told_ms))
    for running in stored.passes:
        state.passes[running.number] = AdmissionPass(
            admitted_at=running.admitted_at,
            session_ends_at=running.session_ends_at,
            entry_ends_at=entry_ends_at,
            entered_at=running.entered_at,
        )
        state.due.put(running.number, at)
    assert columns.states.count(ADMITTED) == len(state.passes)
    state.serving = state.restored_serving = stored.serving_number
    # All at once in the first bucket: the first turns look at them, some thousands each, and spread them out.
    bucket = granule(at)
    columns.wake_all(bucket)
    state.wheel.put_all(columns.numbers_counting(), bucket)
    return state
