"""Judges a crowd's evening: by what its members were told, by the room's log, and by what the database has stored."""

from collections.abc import Sequence
from dataclasses import dataclass

from stagedoor.adapters.redis.log_entries import LogEntry
from tests.cluster.crowd import NO_ANSWER, UNAVAILABLE, Plan, Told
from tests.cluster.disturbed import LATE_S
from tests.cluster.log_record import (
    admitted_twice,
    allowed_in_a_second,
    fullest_second,
    largest_overlap,
    out_of_order,
    passes_in,
    returners_overtaken,
)
from tests.e2e.harness.checkers import paid_twice, seats_promised_twice
from tests.e2e.harness.promises import promises
from tests.order.judge import overtaken_in, risen_in, too_fast_in
from tests.order.record import Fan, Record

MAY_DIFFER_MS = 250
"""So old the line may be that a process answers from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the evening came to, figure by figure, and all that was *wrong*, by the promise that was not kept."""

    figures: dict[str, str]
    wrong: dict[str, Sequence[str]]


def judge(plan: Plan, told: Told, entries: Sequence[LogEntry], *, check: Sequence[str]) -> Verdict:
    """Return the verdict; *check* is what `stagedoor check` found wrong."""
    passes = passes_in(entries)
    record = Record(limits=plan.limits, fans=told.fans, passes=passes, seconds=told.seconds)
    overlap, fullest = largest_overlap(entries), fullest_second(passes)
    sold = [seat_id for promise in promises(told.sales) if promise.is_paid for seat_id in promise.seat_ids]
    risen, ages = list(risen_in(record)), list(ages_of_rises(told.fans))
    may_be_old_ms = round(LATE_S * 1_000) + MAY_DIFFER_MS + told.sales.slowest_ms
    overtaken = [*overtaken_in(record), *out_of_order(entries), *returners_overtaken(entries, plan.limits)]
    wrong = {
        "nobody present is overtaken": overtaken,
        "nobody is let in twice": list(admitted_twice(entries)),
        "no position rises": risen,
        "no answer is too old": [f"{age} ms" for age in ages if age > may_be_old_ms],
        "never more inside than `max_active`": [f"{overlap} were"] if overlap > plan.max_active else [],
        "never more let in than `rate`": list(too_fast_in(record)),
        "no seat is sold twice": [*seats_promised_twice(told.sales), *paid_twice(told.sales)],
        "every seat is sold": [] if len(set(sold)) == plan.seats else [f"{len(set(sold))} of {plan.seats}"],
        "`stagedoor check` is clean": check,
        "everybody is answered, and no answer is a bug": [
            *told.went_home,
            *(
                f"{count} times {verdict}"
                for verdict, count in told.sales.refused.items()
                if verdict[0] >= NO_ANSWER and verdict[0] != UNAVAILABLE
            ),
        ],
    }
    figures = {
        "answers to polls": f"{sum(len(fan.signs) for fan in told.fans):,}",
        "left early": f"{sum(fan.left_at is not None for fan in told.fans):,}",
        "went away": f"{sum(fan.absences > 0 for fan in told.fans):,}",
        "admissions": f"{len(passes):,}",
        "of returners": f"{sum(one.returner for one in passes):,}",
        "inversions among those present": str(len(overtaken)),
        "let in twice": str(len(wrong["nobody is let in twice"])),
        "rises of position": str(len(risen)),
        "from one process to another, and the oldest": f"{len(ages)}, {max(ages, default=0)} ms",
        "largest overlap": f"{overlap} of {plan.max_active}",
        "fullest second": f"{fullest} of {allowed_in_a_second(plan.rate)}",
        "seats sold": f"{len(sold):,} of {plan.seats:,}",
        "double sales": str(len(wrong["no seat is sold twice"])),
        "`stagedoor check`": "clean" if not check else "NOT clean",
        "answers of 503, connections cut": (
            f"{sum(count for verdict, count in told.sales.refused.items() if verdict[0] == UNAVAILABLE):,}, {told.cut}"
        ),
        "duration": f"{told.seconds:.0f} s",
    }
    return Verdict(figures=figures, wrong={promise: found for promise, found in wrong.items() if found})


def ages_of_rises(fans: Sequence[Fan]) -> Sequence[int]:
    """
    Return, of each answer with a higher position than another process had told before, how old it was at least.

    As positions never rise, such an answer is from before the first lower one: it
    tells of the line as it was when that had been given.
    """
    ages = []
    for fan in fans:
        lows: list[tuple[int, int]] = []
        for sign in fan.signs:
            if sign.position <= 0:
                continue
            lower = next((at for position, at in lows if position < sign.position), None)
            if lower is not None:
                ages.append(sign.asked_at - lower)
            elif not lows or sign.position < lows[-1][0]:
                lows.append((sign.position, sign.at))
    return ages
