"""A room's line as its log says: every process reads the same entries in the same order, and comes to the same line."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from stagedoor.adapters.redis import log_entries
from stagedoor.adapters.redis.line_store import Seen, Tail
from stagedoor.adapters.redis.log_entries import Changed, GaveBack, Heard, Joins, LogEntry, RequestId, UsedUp
from stagedoor.kernel.clock import Instant, Outage
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.ids import BuyerId, HoldId
from stagedoor.waiting_room.changes import Change, NewPlace
from stagedoor.waiting_room.columns import ADMITTED, LIVE, PASSED_OVER, UNKNOWN_MS, WAITING
from stagedoor.waiting_room.joining import JoinTerms
from stagedoor.waiting_room.line import Line
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.model import EndCause
from stagedoor.waiting_room.room import Room

JoinOutcome = int | Rejection | None
"""A number, a rejection, or None where the reserved numbers ran out."""

_BEGINNING = Instant(0)


class EntriesMissing(Exception):  # noqa: N818 -- it is handled: the line is loaded anew
    """The log was cut further on than this process has read."""


@dataclass(slots=True, kw_only=True)
class Replica:
    """
    One process's copy of a room's line.

    *position* and *sign* are how far it has read, *latest_at* the latest instant at which anything was done that came
    with the last tail, *binding* the last entry read that a turn depends on. *heard* are the buyers it has heard of
    itself and not told of yet, with when that was; *urgent* of them had been silent for
    almost too long. *told_ms* is on record as the longest interval that anybody
    was told to wait with her next poll. *answers* has the outcome of each request in *awaited*
    once it was read. *applied* gathers changes for the record while there is
    somebody to write it (*moved_sessions* are ends of passes that an outage has
    moved since), and *grown* counts what a new process would have to
    read beyond the checkpoint.
    """

    state: LineState
    room: Room
    epoch: int
    numbers_until: int
    told_ms: int = 0
    admits_from: Instant = _BEGINNING
    lost_until: int = 0
    position: int = 0
    latest_at: Instant = _BEGINNING
    sign: int = 0
    binding: int = 0
    credited_until: int = 0
    outages: list[Outage] = field(default_factory=list)
    heard: dict[int, int] = field(default_factory=dict)
    urgent: set[int] = field(default_factory=set)
    awaited: set[RequestId] = field(default_factory=set)
    answers: dict[RequestId, Sequence[JoinOutcome]] = field(default_factory=dict)
    applied: list[tuple[int, Change]] | None = None
    moved_sessions: dict[int, Instant] = field(default_factory=dict)
    grown: int = 0
    deciding: frozenset[int] = frozenset()
    line: Line = field(init=False)

    def __post_init__(self) -> None:
        self.line = Line(self.state)

    @property
    def seen(self) -> Seen:
        """How far the store has been read."""
        return Seen(self.epoch, self.position, self.sign)

    def absorb(self, tail: Tail) -> bool:
        """
        Apply what is new in *tail*; return whether that was all there is.

        Tails may overlap and come in any order. Raises `EntriesMissing`.
        """
        self.latest_at = _BEGINNING
        for position, packed in tail.entries:
            if position == self.position + 1:
                self._apply(position, log_entries.decode(packed))
                self.position = position
            elif position > self.position:
                raise EntriesMissing
        if not tail.entries and tail.position > self.position:
            raise EntriesMissing
        for sign, packed in tail.signs:
            if sign > self.sign + 1:
                self.take_all_for_seen(tail.now)
            if sign > self.sign:
                entry = log_entries.decode(packed)
                assert isinstance(entry, Heard)
                self._hear_of_waiting(entry)
                self.sign = sign
        return self.position >= tail.position and self.sign >= tail.sign

    def take_all_for_seen(self, now: Instant) -> None:
        """Take every living buyer for seen at *now*, and told the most there is: signs of some of them were missed."""
        columns = self.state.columns
        columns.told_ms = array("I", (UNKNOWN_MS,)) * len(columns)
        columns.seen_at = array(
            "q",
            [
                max(seen_at, now) if state in LIVE else seen_at
                for seen_at, state in zip(columns.seen_at, columns.states, strict=True)
            ],
        )

    def take_heard(self) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        """
        Return the signs that were heard here and nobody was told of yet, as (number, instant, interval told).

        First those that turns depend on: of buyers with a pass or passed over,
        and of those who have been silent for almost too long.
        """
        columns = self.state.columns
        binding: list[tuple[int, int, int]] = []
        others: list[tuple[int, int, int]] = []
        for number, at in self.heard.items():
            row = number - columns.first
            if row < 0:
                continue
            sign = (number, at, columns.told_ms[row])
            waits = columns.states[row] == WAITING and number not in self.urgent
            (others if waits else binding).append(sign)
        self.heard.clear()
        self.urgent.clear()
        return binding, others

    def place(self, number: int) -> NewPlace | None:
        """Return whose place that is, None if it is not known."""
        row = self.state.row(number)
        if row is None:
            return None
        return NewPlace(number, self.state.buyer(row), Instant(self.state.columns.token_expires_at[row]))

    @property
    def waiting(self) -> int:
        """How long the line is for whoever stands last: those passed over poll as well, and lost places count."""
        return max(self.state.waiting, self.state.columns.counting_total)

    def is_lost(self, number: int) -> bool:
        """Whether a place of that number may have been given out and is not known here."""
        row = number - self.state.columns.first
        return 0 <= row < len(self.state.columns) and self.state.columns.is_lost(row)

    def may_live(self, number: int) -> bool:
        """Whether the place is not over, as far as has been read."""
        columns = self.state.columns
        row = number - columns.first
        return row >= len(columns) or (row >= 0 and columns.states[row] in LIVE)

    def lasts(self, number: int) -> Instant:
        """Return when the pass of the place ends, as things stand."""
        seen_at = self.state.columns.seen_at[number - self.state.columns.first]
        return self.state.passes[number].ends_at(seen_at=seen_at, policy=self.room.policy)

    def is_sure_of(self, number: int, *, entering: bool, soon: Instant, quiet_since: Instant) -> bool:
        """
        Say whether nothing that others know can make the place another one than it is here.

        What would end only after *soon* is told to all in time; nobody who
        waits is away who was seen after *quiet_since*.
        """
        columns = self.state.columns
        row = number - columns.first
        if not 0 <= row < len(columns.states):
            return False
        state = columns.states[row]
        if state == WAITING:
            return not entering and (columns.seen_at[row] > quiet_since or self.state.away_at(row, self.room) > soon)
        if state == ADMITTED:
            return self.lasts(number) > soon
        if state == PASSED_OVER:
            return not entering
        return not columns.is_lost(row)

    def give_up_lost(self) -> None:
        """Let the places that nobody came back for stop counting, once it was waited for them."""
        columns = self.state.columns
        for number in columns.numbers_counting():
            if number >= self.lost_until:
                break
            if columns.is_lost(number - columns.first):
                self.state.found_away[number] = None
        self.lost_until = 0

    def _apply(self, position: int, entry: LogEntry) -> None:
        if not isinstance(entry, Joins):
            self.binding = position
        at = entry.ended_at if isinstance(entry, GaveBack) else entry.at
        self.latest_at = max(self.latest_at, Instant(at))
        answer: Sequence[JoinOutcome] = ()
        match entry:
            case Joins():
                answer = self._join(entry)
            case UsedUp():
                plan = self.line.plan_ends(Instant(entry.at))
                for number in entry.numbers:
                    plan.end(number, EndCause.PAID)
                self._change(position, plan.change())
            case Changed():
                self._change(position, log_entries.change_of(entry, last_number=self.state.columns.last_number))
            case Heard():
                self._hear(entry)
                self.grown += 1 + len(entry.signs) + len(entry.notes)
            case GaveBack():
                self._give_back(position, entry)
        if entry.request in self.awaited:
            self.answers[entry.request] = answer

    def _join(self, entry: Joins) -> Sequence[JoinOutcome]:
        terms = JoinTerms(entry.closed, entry.line_max, Instant(entry.expires_at))
        plan = self.line.plan_joins_on(terms, Instant(entry.at))
        left = entry.numbers_until - 1 - self.state.columns.last_number
        new: set[int] = set()
        outcomes: list[JoinOutcome] = []
        for buyer in entry.buyers:
            known = buyer in new or self.state.living.get(buyer) is not None
            if not known and len(new) >= left:
                outcomes.append(None)
                continue
            number = plan.join(BuyerId(buyer))
            if not known and isinstance(number, int):
                new.add(buyer)
            outcomes.append(number)
        self._change(None, plan.change())
        return outcomes

    def _change(self, position: int | None, change: Change) -> None:
        self.line.apply(change)
        self.grown += len(change.joined) + len(change.ended) + len(change.admitted) + 1
        if self.applied is not None and position is not None and _is_recorded(change):
            self.applied.append((position, change))

    def _hear(self, entry: Heard) -> None:
        for number, at, told_ms in entry.signs:
            self.line.hear(number, self.room, Instant(at), told_ms)
        for number, hold_id, until in entry.notes:
            self.line.note_hold(number, HoldId(hold_id), None if until is None else Instant(until), Instant(entry.at))

    def _hear_of_waiting(self, entry: Heard) -> None:
        # Who is not waiting any more was when the sign was given: what it would mean now is said by her next one.
        self.line.hear_of_waiting(entry.signs, self.room)

    def _give_back(self, position: int, entry: GaveBack) -> None:
        began_at = max(entry.began_at, self.credited_until)
        credited_ms = min(entry.credited_ms, entry.ended_at - began_at)
        if credited_ms <= 0:
            return
        outage = Outage(Instant(began_at), Instant(entry.ended_at), credited_ms)
        self.line.give_back(self.room, outage)
        self.outages.append(outage)
        self.credited_until = entry.ended_at
        if self.applied is not None:
            self.moved_sessions = {number: running.session_ends_at for number, running in self.state.passes.items()}
            nothing = Change(at=outage.ended_at, last_number=0, serving_number=self.state.serving)
            self.applied.append((position, nothing))


def _is_recorded(change: Change) -> bool:
    return bool(change.admitted or change.ended or change.not_taken or change.entered or change.forgotten)


def recorded_numbers(change: Change) -> set[int]:
    """Return whose places the record has to know for *change*."""
    return {
        *(admission.number for admission in change.admitted),
        *(ending.number for ending in change.ended),
        *change.not_taken,
    }
