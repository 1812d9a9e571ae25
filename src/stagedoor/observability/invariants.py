"""
What has to be true of everything that is stored, and a few checks that need no database to be made.

A finding is what one check comes to. The checks of the line take plain rows,
whatever store they were read from.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Final

from stagedoor.kernel.clock import FOREVER, SECOND_MS, Instant
from stagedoor.kernel.ids import QueueNumber, RoomId

ALWAYS: Final = Instant(0)
"""Before every instant that a row has."""

SHOWN_MAX = 20
"""How many violations of one kind are put into words; all are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    What one check found: *sentence* says what has to be true of each of the *checked* things.

    *violations* describes the first ones of *violation_count*.
    """

    name: str
    sentence: str
    checked: int
    violation_count: int
    violations: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the sentence is true."""
        return self.violation_count == 0


def finding(name: str, sentence: str, *, checked: int, violations: Iterable[str]) -> Finding:
    """Return the finding that *violations* amount to."""
    found = list(violations)
    return Finding(
        name=name,
        sentence=sentence,
        checked=checked,
        violation_count=len(found),
        violations=tuple(found[:SHOWN_MAX]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRow:
    """
    One admission, as stored: *max_active* and *rate* are the policy's figures of that moment.

    *sequence* is the order in which the admissions were made.
    """

    sequence: int
    room_id: RoomId
    number: QueueNumber
    returner: bool
    admitted_at: Instant
    ended_at: Instant | None
    max_active: int
    rate: float | None


def check_overlap(passes: Sequence[PassRow], *, whole_since: Instant = ALWAYS) -> Finding:
    """At each admission from *whole_since* on, count the passes that run then, the new one too."""

    def violations() -> Iterator[str]:
        for room_id, admissions in _by_room(passes).items():
            running: list[Instant] = []
            for one in admissions:
                # A pass that ends at the instant of an admission has made room for it.
                while running and running[0] <= one.admitted_at:
                    heapq.heappop(running)
                heapq.heappush(running, FOREVER if one.ended_at is None else one.ended_at)
                if one.admitted_at >= whole_since and len(running) > one.max_active:
                    yield f"room {room_id}: {len(running)} inside with number {one.number}, of {one.max_active}"

    return finding(
        "passes-overlap",
        "No admission lets more in than max_active said at that moment.",
        checked=sum(one.admitted_at >= whole_since for one in passes),
        violations=violations(),
    )


def check_admission_order(passes: Sequence[PassRow]) -> Finding:
    """Those who were not passed over before went in strictly by number."""

    def violations() -> Iterator[str]:
        for room_id, admissions in _by_room(passes).items():
            last = 0
            for one in admissions:
                if one.returner:
                    continue
                if one.number <= last:
                    yield f"room {room_id}: number {one.number} was admitted after {last}"
                last = max(last, one.number)

    return finding(
        "admission-order",
        "Admission follows the queue number.",
        checked=len(passes),
        violations=violations(),
    )


def check_skipped(
    waiting: Mapping[RoomId, Sequence[QueueNumber]],
    passes: Sequence[PassRow],
    serving: Mapping[RoomId, QueueNumber],
) -> Finding:
    """
    Look at *waiting*, the numbers that neither ended nor were passed over: none may lie before one that went in.

    *serving* is how far each room's admission had come: whoever went in may be forgotten since.
    """
    served: dict[RoomId, int] = dict(serving)
    for one in passes:
        if not one.returner:
            served[one.room_id] = max(served.get(one.room_id, 0), one.number)
    return finding(
        "nobody-skipped",
        "Nobody still waits, without having been passed over, behind whose number somebody went in.",
        checked=sum(map(len, waiting.values())),
        violations=(
            f"room {room_id}: number {number} waits, {served[room_id]} went in"
            for room_id, numbers in waiting.items()
            for number in numbers
            if number < served.get(room_id, 0)
        ),
    )


def check_rate(passes: Sequence[PassRow], *, whole_since: Instant = ALWAYS) -> Finding:
    """
    In no T seconds were there more admissions than ⌈rate·T⌉ + ⌈rate/4⌉; looked at while the rate stays the same.

    Only admissions from *whole_since* on are looked at: before, some may be
    missing in between, and two stretches of one rate would look like one.

    With k counting admissions, n of them between t(i) and t(j) keep that bound
    exactly when (k(j) - rate·t(j)) - (k(i) - rate·t(i)) < ⌈rate/4⌉, so the
    lowest value so far is all that has to be remembered.
    """
    whole = [one for one in passes if one.admitted_at >= whole_since]

    def violations() -> Iterator[str]:
        for room_id, admissions in _by_room(whole).items():
            for rate, run in groupby(admissions, key=lambda one: one.rate):
                if rate is not None:
                    yield from _over_rate(room_id, Fraction(str(rate)), list(run))

    return finding(
        "admission-rate",
        "No stretch of time has more admissions than the room's rate allows.",
        checked=sum(one.rate is not None for one in whole),
        violations=violations(),
    )


def _over_rate(room_id: RoomId, rate: Fraction, run: Sequence[PassRow]) -> Iterator[str]:
    burst = -(-rate // 4)
    lowest: Fraction | None = None
    for count, one in enumerate(run):
        ahead = count - rate * one.admitted_at / SECOND_MS
        lowest = ahead if lowest is None else min(lowest, ahead)
        if ahead - lowest >= burst:
            yield f"room {room_id}: number {one.number} went in too early for {float(rate)} a second"


def _by_room(passes: Iterable[PassRow]) -> Mapping[RoomId, Sequence[PassRow]]:
    rooms: dict[RoomId, list[PassRow]] = {}
    for one in sorted(passes, key=lambda one: one.sequence):
        rooms.setdefault(one.room_id, []).append(one)
    return rooms
