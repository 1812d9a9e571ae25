"""Time in which nobody could be served does not count in the line either: passes, presence and pace."""

from array import array

from stagedoor.kernel.clock import Outage, later
from stagedoor.waiting_room.applying import reschedule
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.room import Room


def give_back(state: LineState, room: Room | None, outage: Outage) -> None:
    """
    Move every deadline later by what *outage* took of it, and every sign of a buyer with them.

    The journal has the ends of the sessions, later by as much; all else is
    memory. Who had been away before the outage is as far away after it.
    """
    columns = state.columns
    by_ms, ended_at = outage.credited_ms, outage.ended_at
    # A sign that was noted in the outage itself is not moved into the future, and a later one not at all.
    columns.seen_at = array("q", [max(seen_at, min(seen_at + by_ms, ended_at)) for seen_at in columns.seen_at])
    for running in state.passes.values():
        running.give_back(outage)
    state.pace.skip(ended_at)
    if room is not None:
        _look_again(state, room, outage)


def _look_again(state: LineState, room: Room, outage: Outage) -> None:
    for number in list(state.found_away):
        away_at = state.away_at(number - state.columns.first, room)
        if away_at > outage.ended_at:
            del state.found_away[number]
            reschedule(state, number, later(outage.ended_at, away_at - outage.ended_at))
