"""
One room's line as a pure machine: no I/O, no clock, no waiting.

Whatever is durable changes in two steps: a `plan_...` says what would happen
and changes nothing, `apply` makes it so once it has been journaled. Presence
(who was heard of when) changes at once and is never journaled.
"""

from collections.abc import Collection, Iterable, Sequence

from stagedoor.kernel.clock import Instant, Outage
from stagedoor.kernel.ids import BuyerId, HoldId, PlaceRef
from stagedoor.waiting_room import applying, forgetting, showing, standing_still, taking_back, turning
from stagedoor.waiting_room.away import GRANULE_MS
from stagedoor.waiting_room.changes import Change, NewPlace
from stagedoor.waiting_room.columns import ADMITTED, FORGOTTEN, LIVE, PASSED_OVER, REVOKED, UNKNOWN_MS, WAITING
from stagedoor.waiting_room.ending import EndingPlan
from stagedoor.waiting_room.forgetting import LongOver
from stagedoor.waiting_room.joining import JoiningPlan, JoinTerms, join_terms
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.model import LineView, PlaceView
from stagedoor.waiting_room.policy import away_window_ms
from stagedoor.waiting_room.room import Room


class Line:
    """Places, numbers and passes of one room. Numbers come from one counter that starts at 1."""

    def __init__(self, state: LineState) -> None:
        """Go on from *state*; nobody else may touch it."""
        self._state = state

    def plan_joins(self, room: Room, now: Instant) -> JoiningPlan:
        """Return a plan that decides joins one after another."""
        return self.plan_joins_on(join_terms(room, now), now)

    def plan_joins_on(self, terms: JoinTerms, now: Instant) -> JoiningPlan:
        """Return a plan that decides joins on *terms*, whatever the room says by now."""
        return JoiningPlan(self._state, terms, now)

    def plan_ends(self, now: Instant) -> EndingPlan:
        """Return a plan that decides endings one after another."""
        return EndingPlan(self._state, now)

    def elapse(self, room: Room, *, seats_free: bool, now: Instant) -> None:
        """Let time pass up to *now*, before a turn is planned."""
        turning.elapse(self._state, room, seats_free=seats_free, now=now)

    def plan_turn(self, room: Room, *, seats_free: bool, now: Instant) -> Change:
        """Return what the turn at *now* changes."""
        return turning.plan_turn(self._state, room, seats_free=seats_free, now=now)

    def find_long_over(self, *, from_number: int, ended_before: Instant, limit: int) -> LongOver:
        """Return at most *limit* places over before *ended_before*, looking at a stretch of the line."""
        return forgetting.find_long_over(self._state, from_number=from_number, ended_before=ended_before, limit=limit)

    def plan_forgetting(self, numbers: Collection[int], *, ended_before: Instant, now: Instant) -> Change:
        """Return the change that forgets *numbers*, all of which were over before *ended_before*."""
        return forgetting.plan_forgetting(self._state, numbers, ended_before=ended_before, now=now)

    def plan_taking_back(self, places: Sequence[NewPlace], now: Instant) -> Change:
        """Return the change that takes back, of *places* that a signature vouches for, those that were lost."""
        return taking_back.plan_taking_back(self._state, places, now)

    def apply(self, change: Change) -> None:
        """Make *change* so. It was planned on the line as it is now, and is durable."""
        applying.apply(self._state, change)

    def give_back(self, room: Room | None, outage: Outage) -> None:
        """Leave *outage* out of every deadline and every absence; the journal has been credited with it."""
        standing_still.give_back(self._state, room, outage)

    def look(self, ref: PlaceRef, room: Room, now: Instant, *, telling: bool) -> PlaceView | None:
        """
        Return the place, and take the look as a sign of its buyer's presence.

        None if the place is not known or was revoked. A sign that arrives
        before a turn has ended a pass that was due still keeps it.
        """
        state = self._state
        columns = state.columns
        row = ref.number - columns.first
        if not self.notice(ref.number, now):
            return None
        view = showing.show_place(state, ref, row, room, now)
        if telling and view.position:
            self._told(ref.number, room, now, view.poll_after_ms)
        return view

    def notice(self, number: int, now: Instant) -> bool:
        """
        Take a sign of the presence of the place's buyer; False if the place is not known or was revoked.

        A sign that comes late, behind the commit of a batch, takes back no later one.
        """
        columns = self._state.columns
        row = number - columns.first
        if not 0 <= row < len(columns.states):
            return False
        place_state = columns.states[row]
        if place_state in (REVOKED, FORGOTTEN):
            return False
        if place_state in LIVE:
            seen_at = columns.seen_at[row] = max(columns.seen_at[row], now)
            if place_state == ADMITTED:
                self._enter(number, Instant(seen_at))
            elif place_state == PASSED_OVER:
                self._state.returners.add(number)
        return True

    def hear(self, number: int, room: Room, at: Instant, told_ms: int) -> None:
        """
        Take note of a sign of a buyer's presence at *at*, when she was told to ask again after *told_ms*.

        For a line that was not asked itself; ignored if the place is not known.
        """
        columns = self._state.columns
        if not self.notice(number, at) or columns.states[number - columns.first] == ADMITTED or told_ms == UNKNOWN_MS:
            return
        self._told(number, room, at, told_ms)

    def hear_of_waiting(self, signs: Iterable[tuple[int, int, int]], room: Room) -> None:
        """
        Take note of *signs* (number, instant, interval told) as `hear` does, of those alone who wait.

        With several processes each poll is such a sign in each of the others.
        """
        columns, windows_ms = self._state.columns, dict[int, int]()
        first, states, seen_at = columns.first, columns.states, columns.seen_at
        for number, at, told_ms in signs:
            row = number - first
            if not 0 <= row < len(states) or states[row] != WAITING:
                continue
            # A sign that was given earlier and comes later takes nothing back.
            seen_at[row] = max(seen_at[row], at)
            if told_ms == UNKNOWN_MS:
                continue
            columns.told_ms[row] = told_ms
            window_ms = windows_ms.get(told_ms)
            if window_ms is None:
                window_ms = windows_ms[told_ms] = away_window_ms(room.policy, told_ms)
            if columns.counting[row] and columns.wakes[row] * GRANULE_MS > at + window_ms:
                applying.reschedule(self._state, number, at + window_ms)

    def note_hold(self, number: int, hold_id: HoldId, until: Instant | None, now: Instant) -> None:
        """Remember that somebody admitted holds seats until *until* (None: no longer); ignored for anybody else."""
        running = self._state.passes.get(number)
        if running is None:
            return
        self._state.due.changed(number)
        if until is None:
            running.holds.pop(hold_id, None)
            return
        running.holds[hold_id] = until
        self._enter(number, now)

    def _told(self, number: int, room: Room, at: Instant, told_ms: int) -> None:
        """Remember that she was told at *at* to ask again after *told_ms*."""
        columns = self._state.columns
        row = number - columns.first
        columns.told_ms[row] = told_ms
        away_at = at + away_window_ms(room.policy, told_ms)
        if columns.counting[row] and columns.wakes[row] * GRANULE_MS > away_at:
            # She may have been told a longer interval before, and the wheel would look for her too late.
            applying.reschedule(self._state, number, away_at)

    def _enter(self, number: int, now: Instant) -> None:
        running = self._state.passes[number]
        if running.entered_at is None:
            running.entered_at = now
            self._state.unsaved_entries[number] = now
            self._state.due.changed(number)

    def buyer_of(self, number: int) -> BuyerId | None:
        """Return whose place that is, None if it is not known."""
        row = self._state.row(number)
        return None if row is None else self._state.buyer(row)

    def show(self, ref: PlaceRef, room: Room, now: Instant) -> PlaceView | None:
        """Return the place, revoked or not, without taking that as a sign of anybody; None if it is not known."""
        row = self._state.row(ref.number)
        return None if row is None else showing.show_place(self._state, ref, row, room, now)

    def view(self) -> LineView:
        """Return the line as everybody may see it."""
        return showing.show_line(self._state)
