"""What a line that was put together after a loss knows and its record does not: no log says it any more."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from stagedoor.adapters.redis.replica import Replica
from stagedoor.kernel.clock import Instant
from stagedoor.waiting_room.changes import Admission, Change, Ending, Entry, Terms
from stagedoor.waiting_room.line_record import RecordedRoom
from stagedoor.waiting_room.model import EndCause, PlaceState


def unrecorded(replica: Replica, recorded: RecordedRoom, now: Instant) -> Sequence[Change]:
    """Return what has to be recorded, in order: passes and places that are over, and passes that run."""
    return [*_ended(replica, recorded, now), *_admitted(replica, recorded)]


def _ended(replica: Replica, recorded: RecordedRoom, now: Instant) -> Iterator[Change]:
    running = {one.number for one in recorded.passes}
    live = [place.number for place, _, ended_at in recorded.places if ended_at is None]
    untold = {number for number, _ in recorded.closed} - {place.number for place, *_ in recorded.places}
    columns = replica.state.columns
    over: list[tuple[Instant, Ending]] = []
    not_taken: list[int] = []
    for number in sorted({*live, *untold}):
        row = replica.state.row(number)
        if row is None or columns.is_lost(row) or not columns.buyers[row]:
            continue
        state = PlaceState(columns.states[row])
        if not state.is_live:
            cause = EndCause.PAID if state is PlaceState.DONE else EndCause.LEFT
            over.append((Instant(min(columns.seen_at[row], now)), Ending(number, state, cause, number in running)))
        elif number in running and number not in replica.state.passes:
            not_taken.append(number)
    for at, some in groupby(sorted(over), key=lambda one: one[0]):
        yield _change(replica, at, ended=tuple(ending for _, ending in some))
    if not_taken:
        yield _change(replica, now, not_taken=tuple(not_taken))


def _admitted(replica: Replica, recorded: RecordedRoom) -> Iterator[Change]:
    running = {one.number for one in recorded.passes}
    came_late = {place.number for place, state, _ in recorded.places if state is PlaceState.PASSED_OVER}
    policy = replica.room.policy
    new = [(one.admitted_at, number, one) for number, one in replica.state.passes.items() if number not in running]
    for at, number, one in sorted(new, key=lambda one: one[:2]):
        yield _change(
            replica,
            at,
            admitted=(Admission(number, number in came_late, one.entry_ends_at),),
            terms=Terms(max_active=policy.max_active, rate=policy.rate, session_ends_at=one.session_ends_at),
        )
    entered = tuple(Entry(number, one.entered_at) for _, number, one in new if one.entered_at is not None)
    if entered:
        yield _change(replica, max(at for at, *_ in new), entered=entered)


def _change(replica: Replica, at: Instant, **what: object) -> Change:
    state = replica.state
    return Change(
        at=at,
        last_number=state.columns.last_number,
        serving_number=state.serving,
        **what,  # type: ignore[arg-type]  # each name has its own kind
    )
