"""What was asked while a database said nothing, several times: a table, and whether it is as it has to be."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from tests.overload.stall import CHANGE_S, READ_S, Findings, Kind

STALLS = 3
"""Polls of the same server differ by a fifth from one five seconds to the next, so one stall would say little."""

POLLS_MIN = 0.80


def told(stalls: Sequence[Findings], seconds: float) -> bool:
    """Print what came of *stalls* of so many *seconds*; return whether polls and deadlines were kept."""
    kept = median(stall.share_kept for stall in stalls)
    print(
        f"**A database that says nothing** for {seconds:g} s, {len(stalls)} times. Of their rate right before, polls\n"
        f"kept {kept:.0%} (the median; by what they took of the processor where that says more, with all else that\n"
        f"was asked counted in).\n"
        f"Deadlines: {CHANGE_S:g} s for changes, {READ_S:g} s for reads; the breakers are as by default.\n"
    )
    print("| polls a second before | meanwhile | kept | us a poll before | meanwhile | kept |")
    print("|--:|--:|--:|--:|--:|--:|")
    for stall in stalls:
        print(
            f"| {stall.healthy:,.0f} | {stall.stalled:,.0f} | {stall.share:.0%} "
            f"| {stall.healthy_cpu_us:.0f} | {stall.stalled_cpu_us:.0f} | {stall.share_by_cpu:.0%} |"
        )
    print("\n| call | answers | by status | p99 | deadline + 50 ms |\n|---|--:|---|--:|---|")
    kinds = [_together(same) for same in zip(*([stall.polls, *stall.kinds] for stall in stalls), strict=True)]
    for kind in kinds:
        statuses = ", ".join(f"{status}: {count:,}" for status, count in sorted(kind.statuses.items()))
        verdict = "kept" if kind.is_in_time else "**missed**"
        print(f"| {kind.name} | {len(kind.took_s):,} | {statuses} | {kind.p99_s * 1e3:,.0f} ms | {verdict} |")
    print()
    return kept >= POLLS_MIN and all(kind.is_in_time for kind in kinds)


def _together(same: Sequence[Kind]) -> Kind:
    """Return what one kind of call was answered in all stalls."""
    return Kind(
        name=same[0].name,
        deadline_s=same[0].deadline_s,
        requests=same[0].requests,
        statuses=sum((kind.statuses for kind in same), Counter()),
        took_s=[took_s for kind in same for took_s in kind.took_s],
    )
