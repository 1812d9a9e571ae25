"""The complete record of a room, from nothing but its log in Redis, in the order of the store; and what it says."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil

from redis import Redis

from stagedoor.adapters.redis import log_entries
from stagedoor.adapters.redis.log_entries import Changed, Heard, LogEntry, UsedUp
from stagedoor.kernel.clock import SECOND_MS, Instant
from stagedoor.waiting_room.columns import UNKNOWN_MS
from tests.order.judge import MISSED_POLLS
from tests.order.record import Limits, Pass

ENTRIES_AT_ONCE = 5_000


def read_log(redis_url: str, room_id: str) -> list[LogEntry]:
    """Return every entry there ever was; fails if some were cut off."""
    found: list[LogEntry] = []
    with Redis.from_url(redis_url, protocol=2) as redis:
        while some := redis.xrange(f"stagedoor:{{{room_id}}}:log", f"{len(found) + 1}-0", "+", ENTRIES_AT_ONCE):
            for position, fields in some:
                assert position == f"{len(found) + 1}-0".encode(), f"the log is not whole: {position} comes next"
                found.append(log_entries.decode(fields[b"e"]))
    return found


def passes_in(entries: Sequence[LogEntry]) -> list[Pass]:
    """Return the passes that the log handed out, in its order, each with its end."""
    passes: list[Pass] = []
    running: dict[int, list[int]] = {}
    for entry in entries:
        for number in _ended_by(entry):
            for index in running.pop(number, ()):
                passes[index] = replace(passes[index], ended_at=Instant(entry.at))  # type: ignore[union-attr]
        if isinstance(entry, Changed):
            for number, returner, _ in entry.admitted:
                running.setdefault(number, []).append(len(passes))
                passes.append(Pass(number=number, returner=returner, admitted_at=Instant(entry.at), ended_at=None))
    return passes


def largest_overlap(entries: Sequence[LogEntry]) -> int:
    """Return how many passes ran after some entry, at most."""
    running: dict[int, int] = {}
    most = inside = 0
    for entry in entries:
        for number in _ended_by(entry):
            inside -= running.pop(number, 0)
        if isinstance(entry, Changed):
            for number, *_ in entry.admitted:
                running[number] = running.get(number, 0) + 1
                inside += 1
        most = max(most, inside)
    return most


def admitted_twice(entries: Sequence[LogEntry]) -> Iterator[str]:
    """Yield whoever was let in while she was, or after her place was over."""
    inside: set[int] = set()
    over: set[int] = set()
    for entry in entries:
        inside.difference_update(_ended_by(entry))
        over.update(_over_by(entry))
        if isinstance(entry, Changed):
            for number, *_ in entry.admitted:
                if number in inside or number in over:
                    yield f"{number} was let in again at {entry.at}"
                inside.add(number)


def out_of_order(entries: Sequence[LogEntry]) -> Iterator[str]:
    """Yield whoever came from the line after somebody behind her."""
    last = 0
    for entry in entries:
        if isinstance(entry, Changed):
            for number, returner, _ in entry.admitted:
                if not returner:
                    if number < last:
                        yield f"{number} after {last}"
                    last = max(last, number)


def returners_overtaken(entries: Sequence[LogEntry], limits: Limits) -> Iterator[str]:
    """
    Yield whoever had come back, as the log says, and was there when somebody entered before whom she should have.

    She has come back once a sign of hers is in the log behind the turn that passed her over.
    """
    missed: set[int] = set()
    back: dict[int, tuple[int, int]] = {}
    for entry in entries:
        for number in _over_by(entry):
            missed.discard(number)
            back.pop(number, None)
        if isinstance(entry, Heard):
            for number, at, told_ms in entry.signs:
                if number in missed:
                    back[number] = (at, 0 if told_ms == UNKNOWN_MS else told_ms)
        if not isinstance(entry, Changed):
            continue
        for number, returner, _ in entry.admitted:
            missed.discard(number)
            back.pop(number, None)
            yield from (
                f"{other} was back when {number} entered at {entry.at}"
                for other, (at, told_ms) in back.items()
                if (not returner or other < number)
                and entry.at - at < max(limits.away_after_s * SECOND_MS, MISSED_POLLS * told_ms)
            )
        missed.update(entry.passed_over, entry.not_taken)
        for number in entry.strayed:
            back.pop(number, None)


def fullest_second(passes: Sequence[Pass]) -> int:
    """Return how many were let in within one second, at most."""
    instants = sorted(one.admitted_at for one in passes)
    first = most = 0
    for count, at in enumerate(instants, start=1):
        while at - instants[first] > SECOND_MS:
            first += 1
        most = max(most, count - first)
    return most


def allowed_in_a_second(rate: float) -> int:
    """Return how many may be."""
    return ceil(rate) + ceil(rate / 4)


def _ended_by(entry: LogEntry) -> Sequence[int]:
    """Return whose pass that ends, if it runs."""
    if isinstance(entry, Changed):
        return [*(number for number, *_ in entry.ended), *entry.not_taken]
    return entry.numbers if isinstance(entry, UsedUp) else ()


def _over_by(entry: LogEntry) -> Sequence[int]:
    """Return whose place that ends, if it lives."""
    if isinstance(entry, Changed):
        return [number for number, *_ in entry.ended]
    return entry.numbers if isinstance(entry, UsedUp) else ()
