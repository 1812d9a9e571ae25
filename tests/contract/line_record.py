"""Whether a line was fair can be computed from the record of its passes alone."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil

from tests.contract.line_stage import PassRecord

Violations = list[str]


def out_of_order(passes: Sequence[PassRecord]) -> Violations:
    """Return who entered from the line after somebody behind her; *passes* are in the order of admission."""
    line = [admitted for admitted in passes if not admitted.returner]
    return [f"{after.number} after {before.number}" for before, after in pairwise(line) if after.number < before.number]


def overlaps(passes: Sequence[PassRecord]) -> Violations:
    """Return where more were inside than `max_active` allowed when somebody was let in."""
    found: Violations = []
    for i, admitted in enumerate(passes):
        inside = 1 + sum(before.ended_at is None or before.ended_at > admitted.admitted_at for before in passes[:i])
        if inside > admitted.max_active:
            found.append(f"{inside} inside with {admitted.number}, of {admitted.max_active}")
    return found


def twice_inside(passes: Sequence[PassRecord]) -> Violations:
    """Return who had two passes at once."""
    return [
        f"{first.number} was let in twice"
        for i, first in enumerate(passes)
        for second in passes[i + 1 :]
        if first.number == second.number and (first.ended_at is None or first.ended_at > second.admitted_at)
    ]


def too_fast(passes: Sequence[PassRecord], rate: float) -> Violations:
    """Return the windows of T seconds in which more than ceil(rate x T) + ceil(rate / 4) were let in."""
    instants = [admitted.admitted_at for admitted in passes]
    return [
        f"{j - i + 1} in {last - first} ms"
        for i, first in enumerate(instants)
        for j, last in enumerate(instants[i:], i)
        if j - i + 1 > ceil(rate * (last - first) / 1_000) + ceil(rate / 4)
    ]


def unfair(passes: Sequence[PassRecord], *, rate: float | None = None) -> Violations:
    """Return everything that is wrong with the record."""
    found = out_of_order(passes) + overlaps(passes) + twice_inside(passes)
    return found if rate is None else found + too_fast(passes, rate)
