"""What stands in a room's log: each entry is packed once, and read by every process."""

from typing import TypeAlias

import msgspec

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.changes import Admission, Change, Ending, Entry, NewPlace, Terms
from stagedoor.waiting_room.model import EndCause, PlaceState

RequestId: TypeAlias = int
"""Names one request to the store: whoever had no answer finds it in the log, or does not."""


class Joins(msgspec.Struct, tag="j", array_like=True, frozen=True, gc=False):
    """
    Buyers who asked for places at *at*, in order, and the terms they did it on.

    Each process decides them alike, from the log before. Numbers end below
    *numbers_until*, which is reserved.
    """

    request: RequestId
    at: int
    closed: bool
    line_max: int
    expires_at: int
    numbers_until: int
    buyers: list[int]


class UsedUp(msgspec.Struct, tag="u", array_like=True, frozen=True, gc=False):
    """Places whose buyers have paid."""

    request: RequestId
    at: int
    numbers: list[int]


class Heard(msgspec.Struct, tag="h", array_like=True, frozen=True, gc=False):
    """
    Signs of buyers (number, instant, interval told) and notes of holds (number, hold, until when, if at all).

    *writer* is the process that heard them and knows already.
    """

    writer: int
    request: RequestId
    at: int
    signs: list[tuple[int, int, int]]
    notes: list[tuple[int, int, int | None]] = []


class GaveBack(msgspec.Struct, tag="g", array_like=True, frozen=True, gc=False):
    """Time that does not count, as whoever noticed it saw it; what was given back before is not given twice."""

    request: RequestId
    began_at: int
    ended_at: int
    credited_ms: int


class Changed(msgspec.Struct, tag="c", array_like=True, frozen=True, gc=False):
    """A `Change` that was planned on the log before it; its marks are left out, for joins may have come between."""

    request: RequestId
    at: int
    serving_number: int
    joined: list[tuple[int, int, int]]
    ended: list[tuple[int, int, int, bool]]
    not_taken: list[int]
    passed_over: list[int]
    admitted: list[tuple[int, bool, int]]
    away: list[int]
    entered: list[tuple[int, int]]
    strayed: list[int]
    forgotten: list[int]
    forgotten_until: int | None
    taken_back: list[tuple[int, int, int]]
    terms: tuple[int, float | None, int] | None


LogEntry: TypeAlias = Joins | UsedUp | Heard | GaveBack | Changed

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Joins | UsedUp | Heard | GaveBack | Changed).decode


def changed(request: RequestId, change: Change) -> Changed:
    """Return *change* as it stands in the log."""
    return Changed(
        request=request,
        at=change.at,
        serving_number=change.serving_number,
        joined=list(change.joined),
        ended=[(number, int(state), int(cause), had_pass) for number, state, cause, had_pass in change.ended],
        not_taken=list(change.not_taken),
        passed_over=list(change.passed_over),
        admitted=list(change.admitted),
        away=list(change.away),
        entered=list(change.entered),
        strayed=list(change.strayed),
        forgotten=list(change.forgotten),
        forgotten_until=change.forgotten_until,
        taken_back=list(change.taken_back),
        terms=None
        if change.terms is None
        else (change.terms.max_active, change.terms.rate, change.terms.session_ends_at),
    )


def change_of(entry: Changed, *, last_number: int) -> Change:
    """Return the change of *entry*, on a line that ends with *last_number*."""
    terms = entry.terms
    return Change(
        at=Instant(entry.at),
        last_number=last_number + len(entry.joined),
        serving_number=entry.serving_number,
        joined=tuple(_places(entry.joined)),
        ended=tuple(
            Ending(n, PlaceState(state), EndCause(cause), had_pass) for n, state, cause, had_pass in entry.ended
        ),
        not_taken=tuple(entry.not_taken),
        passed_over=tuple(entry.passed_over),
        admitted=tuple(Admission(number, returner, Instant(until)) for number, returner, until in entry.admitted),
        away=tuple(entry.away),
        entered=tuple(Entry(number, Instant(at)) for number, at in entry.entered),
        strayed=tuple(entry.strayed),
        forgotten=tuple(entry.forgotten),
        forgotten_until=None if entry.forgotten_until is None else Instant(entry.forgotten_until),
        taken_back=tuple(_places(entry.taken_back)),
        terms=None if terms is None else Terms(max_active=terms[0], rate=terms[1], session_ends_at=Instant(terms[2])),
    )


def _places(rows: list[tuple[int, int, int]]) -> list[NewPlace]:
    return [NewPlace(number, BuyerId(buyer), Instant(until)) for number, buyer, until in rows]
