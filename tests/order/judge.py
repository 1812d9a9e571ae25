"""
Judges a crowd's record: who was overtaken, whose position rose, how many were inside, how fast they entered.

Nothing in here asks the server or its rules. Who was present is what the fans
know of themselves; the passes are taken as they were written.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from stagedoor.kernel.clock import SECOND_MS, Instant
from stagedoor.waiting_room.model import PlaceState
from tests.order.record import Fan, Limits, Record

MISSED_POLLS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one look at the record came to."""

    promise: str
    figure: str
    violations: Sequence[str]


def crowd_of(record: Record) -> str:
    """Say in a sentence what kind of evening it was."""
    admitted = {entry.number for entry in record.passes}
    left = sum(fan.left_at is not None and fan.number not in admitted for fan in record.fans)
    away = sum(fan.absences > 0 for fan in record.fans)
    returners = sum(entry.returner for entry in record.passes)
    return (
        f"{len(record.fans)} buyers: {left} left before their turn, {away} went away and came back. {returners} of the"
        f" {len(record.passes)} admissions were of somebody who had missed her turn. It took {record.seconds:.0f} s."
    )


def judge(record: Record) -> list[Verdict]:
    """Return a verdict for each promise."""
    overtaken, risen, inside = list(overtaken_in(record)), list(risen_in(record)), largest_overlap(record)
    limits = record.limits
    too_many = [] if inside <= limits.max_active else [f"{inside} were inside at once"]
    fast = list(too_fast_in(record))
    return [
        Verdict(
            promise="nobody present is overtaken",
            figure=f"{len(overtaken)} inversions in {len(record.passes)} admissions",
            violations=overtaken,
        ),
        Verdict(
            promise="no position rises",
            figure=f"{len(risen)} rises in {sum(len(fan.signs) for fan in record.fans)} answers",
            violations=risen,
        ),
        Verdict(
            promise="never more inside than `max_active`",
            figure=f"largest overlap {inside} of {limits.max_active}",
            violations=too_many,
        ),
        Verdict(
            promise="in no T seconds more than ⌈rate·T⌉ + ⌈rate/4⌉",
            figure=f"{len(fast)} windows over {limits.rate:g}/s",
            violations=fast,
        ),
    ]


def overtaken_in(record: Record) -> Iterator[str]:
    """
    Go through the admissions in order, and yield whoever was passed by though she was there.

    From the line: nobody with a lower number is left behind who had been heard
    of within her window. Of those who were passed over and came back: the
    lowest number first, and all of them before the line.
    """
    fans = {fan.number: fan for fan in record.fans}
    waiting = sorted(fans)
    passed_over: dict[int, Instant] = {}
    for entry in record.passes:
        number, at = entry.number, entry.admitted_at
        ahead = sorted(other for other in passed_over if not entry.returner or other < number)
        if not entry.returner:
            in_line = waiting[: bisect_left(waiting, number)]
            waiting = waiting[len(in_line) + 1 :]
            overtaken = [other for other in in_line if _is_there(fans[other], at, record.limits)]
            yield from (f"{other} was there when {number} entered at {at}" for other in overtaken)
            passed_over |= dict.fromkeys(in_line, Instant(0))
        yield from (
            f"{other} was back when {number} entered at {at}"
            for other in ahead
            if other != number and _is_back(fans[other], at, record.limits, since=passed_over[other])
        )
        gone = [other for other in passed_over if other == number or fans[other].left_by(at)]
        for other in gone:
            del passed_over[other]
        if entry.ended_at is not None:
            passed_over[number] = entry.ended_at


def _is_there(fan: Fan, at: Instant, limits: Limits) -> bool:
    """Say whether the server has to take her as present at *at*: not gone, and heard of within her window."""
    last = fan.last_sign_before(at)
    if last is None or fan.left_by(at):
        return False
    return at - last.asked_at < max(limits.away_after_s * SECOND_MS, MISSED_POLLS * last.poll_after_ms)


def _is_back(fan: Fan, at: Instant, limits: Limits, *, since: Instant) -> bool:
    """Say whether she is there, and was told after *since*, when she had missed her turn, that she enters next."""
    last = fan.last_sign_before(at)
    return last is not None and last.at >= since and last.state is PlaceState.PASSED_OVER and _is_there(fan, at, limits)


def risen_in(record: Record) -> Iterator[str]:
    """Yield every answer with a higher position than the one that process gave before; 0, inside, is no position."""
    for fan in record.fans:
        told: dict[int, int] = {}
        for sign in fan.signs:
            if 0 < told.get(sign.by, 0) < sign.position:
                yield f"{fan.number} was told {told[sign.by]}, then {sign.position}"
            told[sign.by] = sign.position or told.get(sign.by, 0)


def largest_overlap(record: Record) -> int:
    """Return how many passes ran at the same instant, at most; the last instant of a pass is not part of it."""
    changes = [(entry.admitted_at, 1) for entry in record.passes]
    changes += [(entry.ended_at, -1) for entry in record.passes if entry.ended_at is not None]
    inside = most = 0
    for _, change in sorted(changes):
        inside += change
        most = max(most, inside)
    return most


def too_fast_in(record: Record) -> Iterator[str]:
    """
    Yield every admission at which some window that ends with it is too full.

    n admissions in T seconds are too many if n > ⌈rate·T⌉ + ⌈rate/4⌉; as n is
    whole, that is n - rate·T >= ⌈rate/4⌉ + 1. So of all windows that end here,
    only the one with the least `admissions before - rate·start` matters.
    """
    rate = Fraction(record.limits.rate) / 1_000
    burst = ceil(Fraction(record.limits.rate) / 4)
    least: Fraction | None = None
    for count, entry in enumerate(record.passes):
        before = count - rate * entry.admitted_at
        least = before if least is None else min(least, before)
        if before + 1 - least >= burst + 1:
            yield f"{entry.number} at {entry.admitted_at}"
