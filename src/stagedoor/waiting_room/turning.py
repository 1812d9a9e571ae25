"""One turn of a line: passes that are due end, the silent are marked away, and whose turn it is enters."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from stagedoor.kernel.clock import Instant, later
from stagedoor.waiting_room.applying import reschedule
from stagedoor.waiting_room.changes import Admission, Change, Ending, Entry, Terms
from stagedoor.waiting_room.columns import BLOCK, PASSED_OVER, WAITING
from stagedoor.waiting_room.ending import state_after
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.model import EndCause
from stagedoor.waiting_room.policy import entry_window_ms
from stagedoor.waiting_room.room import Room, RoomState

STEPS_MAX = 10_000
"""The most places of a kind that one turn changes, so that its commit stays short; the next turn goes on."""

LOOKS_MAX = 4_096
"""The most places that one turn looks for silence at."""

_WITHOUT_PASS = (WAITING, PASSED_OVER)


def elapse(state: LineState, room: Room, *, seats_free: bool, now: Instant) -> None:
    """
    Let time pass up to *now*: what is not durable and no decision yet.

    To be called before each `plan_turn`; calling it once too often is harmless.
    """
    state.seats_free = seats_free
    state.admits = seats_free and room.state_at(now) is RoomState.OPEN
    state.rate.settle(room.policy.rate, now)
    state.pace.elapse(now)
    state.block_to_visit += 1
    columns = state.columns
    state.due.find(room.policy, now)
    for bucket, numbers in state.wheel.take_due(now, limit=LOOKS_MAX):
        for number in numbers:
            row = number - columns.first
            if row < 0 or columns.wakes[row] != bucket or not columns.counting[row]:
                continue
            away_at = state.away_at(row, room)
            if away_at <= now:
                state.found_away[number] = None
            else:
                reschedule(state, number, away_at)


def plan_turn(state: LineState, room: Room, *, seats_free: bool, now: Instant) -> Change:
    """
    Return what this turn changes, changing nothing.

    Admits only while the room is open at *now* and *seats_free*; ends what
    waits in a closed room.
    """
    plan = TurnPlan(state=state, room=room, now=now)
    plan.end_due_passes()
    match room.state_at(now):
        case RoomState.CLOSED:
            plan.close()
        case RoomState.OPEN if seats_free:
            plan.admit()
        case _:
            pass
    plan.end_expired_tokens()
    return plan.change()


@dataclass(slots=True, kw_only=True)
class TurnPlan:
    """What one turn decides, step by step; nothing of it has happened yet."""

    state: LineState
    room: Room
    now: Instant
    ended: dict[int, Ending] = field(default_factory=dict)
    not_taken: list[int] = field(default_factory=list)
    passed_over: list[int] = field(default_factory=list)
    admitted: dict[int, Admission] = field(default_factory=dict)
    strayed: list[int] = field(default_factory=list)
    serving: int = field(init=False)

    def __post_init__(self) -> None:
        self.serving = self.state.serving

    def end_due_passes(self) -> None:
        """End the passes whose time has come; an entry not taken up ends in being passed over."""
        columns, policy, now = self.state.columns, self.room.policy, self.now
        for number in self.state.due:
            running, seen_at = self.state.passes[number], columns.seen_at[number - columns.first]
            cause = running.over_because(seen_at=seen_at, policy=policy, now=now)
            if cause is EndCause.ENTRY_NOT_TAKEN:
                self.not_taken.append(number)
            elif cause is not None:
                self._end(number, cause, had_pass=True)

    def close(self) -> None:
        """End what waits in a room that is closed; who is inside stays until her pass ends."""
        columns = self.state.columns
        for number in self.not_taken:
            self._end(number, EndCause.ROOM_CLOSED, had_pass=True)
        self.not_taken.clear()
        for waiting in _WITHOUT_PASS:
            row = columns.states.find(waiting)
            while row >= 0 and len(self.ended) < STEPS_MAX:
                self._end(columns.first + row, EndCause.ROOM_CLOSED, had_pass=False)
                row = columns.states.find(waiting, row + 1)

    def admit(self) -> None:
        """Admit whoever is next and present, as many as the room's limits allow, and pass over whoever is away."""
        free = self.room.policy.max_active - self.running()
        allowed = self.state.rate.available
        limit = free if allowed is None else min(free, allowed)
        for number, returner in islice(self.candidates(), STEPS_MAX):
            if len(self.admitted) >= limit:
                return
            if self._is_present(number):
                self._admit(number, returner=returner)
            elif returner:
                self.strayed.append(number)
            else:
                self.passed_over.append(number)
            if not returner:
                self.serving = number

    def running(self) -> int:
        """Return how many passes go on after this turn, before anybody is admitted."""
        ended = sum(ending.had_pass for ending in self.ended.values())
        return len(self.state.passes) - len(self.not_taken) - ended

    def candidates(self) -> Iterator[tuple[int, bool]]:
        """Yield whose turn it is, in order: the returners (True), then the line (False), each by number."""
        for number in self.state.returners:
            yield number, True
        columns = self.state.columns
        row = columns.states.find(WAITING, max(0, self.state.serving + 1 - columns.first))
        while row >= 0:
            yield columns.first + row, False
            row = columns.states.find(WAITING, row + 1)

    def end_expired_tokens(self) -> None:
        """
        End the places whose tokens have expired, in one block of rows a turn.

        Their buyers cannot come back, and could not get new ones while these live.
        """
        columns = self.state.columns
        if not len(columns):
            return
        blocks = (len(columns) + BLOCK - 1) // BLOCK
        start = self.state.block_to_visit % blocks * BLOCK
        expires_at = columns.token_expires_at[start : start + BLOCK]
        if min(expires_at) > self.now:
            return
        decided = {*self.ended, *self.admitted, *self.passed_over}
        for row, until in enumerate(expires_at, start):
            number = columns.first + row
            if until <= self.now and columns.states[row] in _WITHOUT_PASS and number not in decided:
                self._end(number, EndCause.TOKEN_EXPIRED, had_pass=False)

    def change(self) -> Change:
        """Return the whole turn."""
        state = self.state
        over = {*self.ended, *self.admitted, *self.passed_over}
        policy = self.room.policy
        return Change(
            at=self.now,
            last_number=state.columns.last_number,
            serving_number=self.serving,
            ended=tuple(self.ended.values()),
            not_taken=tuple(self.not_taken),
            passed_over=tuple(self.passed_over),
            admitted=tuple(self.admitted.values()),
            away=tuple(number for number in islice(state.found_away, STEPS_MAX) if number not in over),
            entered=tuple(Entry(*entry) for entry in state.unsaved_entries.items()),
            strayed=tuple(self.strayed),
            terms=Terms(
                max_active=policy.max_active,
                rate=policy.rate,
                session_ends_at=later(self.now, policy.session_max_ms),
            ),
        )

    def _is_present(self, number: int) -> bool:
        return self.now < self.state.away_at(number - self.state.columns.first, self.room)

    def _admit(self, number: int, *, returner: bool) -> None:
        told_ms = self.state.told_ms(number - self.state.columns.first, self.room)
        entry_ends_at = later(self.now, entry_window_ms(self.room.policy, told_ms))
        self.admitted[number] = Admission(number, returner, entry_ends_at)

    def _end(self, number: int, cause: EndCause, *, had_pass: bool) -> None:
        self.ended[number] = Ending(number, state_after(cause), cause, had_pass)
