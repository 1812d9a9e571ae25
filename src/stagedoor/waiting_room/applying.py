"""A change becomes memory: the one way in which a line's durable part ever changes, live and after a restart alike."""

from stagedoor.kernel.clock import FOREVER, Instant
from stagedoor.waiting_room.admission_pass import AdmissionPass
from stagedoor.waiting_room.away import granule
from stagedoor.waiting_room.changes import Change, NewPlace
from stagedoor.waiting_room.columns import ADMITTED, FORGOTTEN, PASSED_OVER
from stagedoor.waiting_room.line_state import LineState


def apply(state: LineState, change: Change) -> None:
    """Apply *change*, which was planned on *state* as it is and is durable by now."""
    _apply_ends(state, change)
    _apply_turn(state, change)
    for number, entered_at in change.entered:
        _entered(state, number, entered_at)
    for place in change.taken_back:
        _take_back(state, place, change)
    for number, buyer_id, token_expires_at in change.joined:
        state.columns.add(buyer_id, token_expires_at, change.at)
        state.living.add(buyer_id, number)
        _wake(state, number, granule(change.at))
    if change.forgotten:
        _forget(state, change.forgotten)
    assert state.columns.last_number == change.last_number
    state.serving = change.serving_number


def _entered(state: LineState, number: int, entered_at: Instant) -> None:
    state.unsaved_entries.pop(number, None)
    running = state.passes.get(number)
    if running is not None and running.entered_at is None:
        # Another process has heard her; this one only reads of it.
        running.entered_at = entered_at
        state.due.changed(number)


def _take_back(state: LineState, place: NewPlace, change: Change) -> None:
    columns, (number, buyer_id, token_expires_at) = state.columns, place
    row = number - columns.first
    columns.take_back(row, buyer_id, token_expires_at, change.at)
    state.living.add(buyer_id, number)
    state.found_away.pop(number, None)
    if number <= state.serving:
        # Her turn has come and gone: she enters next, before the line.
        columns.states[row] = PASSED_OVER
        columns.stop_counting(row)
        state.returners.add(number)
    else:
        _wake(state, number, granule(change.at))


def reschedule(state: LineState, number: int, at: int) -> None:
    """Have the away wheel look at *number* when *at* has come, and not at the time planned before."""
    _wake(state, number, granule(at))


def _wake(state: LineState, number: int, bucket: int) -> None:
    state.columns.wakes[number - state.columns.first] = bucket
    state.wheel.put(number, bucket)


def _apply_ends(state: LineState, change: Change) -> None:
    columns = state.columns
    for number, new_state, _, _ in change.ended:
        row = number - columns.first
        _leaves_the_line(state, number, row)
        _loses_pass(state, number, change)
        state.returners.discard(number)
        state.living.remove(columns.buyers[row])
        columns.states[row] = new_state
        columns.seen_at[row] = change.at
    for number in change.not_taken:
        _loses_pass(state, number, change)
        columns.states[number - columns.first] = PASSED_OVER


def _apply_turn(state: LineState, change: Change) -> None:
    columns = state.columns
    for number in change.away:
        _leaves_the_line(state, number, number - columns.first)
    for number in change.passed_over:
        row = number - columns.first
        _leaves_the_line(state, number, row)
        columns.states[row] = PASSED_OVER
    for number in change.strayed:
        state.returners.discard(number)
    if change.terms is None:
        return
    for number, _, entry_ends_at in change.admitted:
        row = number - columns.first
        _leaves_the_line(state, number, row)
        state.returners.discard(number)
        columns.states[row] = ADMITTED
        state.passes[number] = AdmissionPass(
            admitted_at=change.at, session_ends_at=change.terms.session_ends_at, entry_ends_at=entry_ends_at
        )
        state.due.put(number, min(change.terms.session_ends_at, entry_ends_at))
    state.rate.take(len(change.admitted), change.at)
    limited = change.terms.rate is not None or len(state.passes) >= change.terms.max_active
    state.pace.turned(admitted=len(change.admitted), held_back=state.admits and limited and columns.counting_total > 0)


def _leaves_the_line(state: LineState, number: int, row: int) -> None:
    """Stop counting her in the positions of others, for good; there is nothing more for the away wheel to find."""
    state.columns.stop_counting(row)
    state.found_away.pop(number, None)


def _loses_pass(state: LineState, number: int, change: Change) -> None:
    ended = state.passes.pop(number, None)
    state.due.drop(number)
    state.unsaved_entries.pop(number, None)
    if ended is not None and ended.entered_at is not None:
        state.pace.pass_ended(change.at - ended.admitted_at)


def _forget(state: LineState, numbers: tuple[int, ...]) -> None:
    columns = state.columns
    for number in numbers:
        row = number - columns.first
        columns.states[row] = FORGOTTEN
        columns.seen_at[row] = FOREVER
    columns.drop_forgotten()
