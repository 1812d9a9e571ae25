"""What was asked while a database said nothing, several times: a table, and whether it is as it has to be."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from tests.overload.stall import CHANGE_S, READ_S, Findings, Kind

STALLS = 7
"""Polls of the same server differ by a third from one five seconds to the next, so few stalls would say little."""

POLLS_MIN = 0.80


def report_stalls(stalls: Sequence[Findings], seconds: float) -> bool:
    """Print what came of *stalls* of so many *seconds*; return whether polls and deadlines were kept."""
    kept = max(median(stall.share for stall in stalls), median(stall.share_by_cpu for stall in stalls))
    print(
        f"**A database that says nothing** for {seconds:g} s, {len(stalls)} times. Of their rate right before, polls\n"
        f"kept {kept:.0%} (the median; by what they took of the processor where that says more, with all else that\n"
        f"was asked counted in). The p99 is that of the worst of the {len(stalls)}.\n"
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
    for same in zip(*([stall.polls, *stall.kinds] for stall in stalls), strict=True):
        print(_line(same))
    print()
    return kept >= POLLS_MIN and all(kind.is_in_time for stall in stalls for kind in (stall.polls, *stall.kinds))


def _line(same: Sequence[Kind]) -> str:
    """Return what one kind of call was answered in all stalls."""
    counted = sum((kind.statuses for kind in same), Counter[int]())
    statuses = ", ".join(f"{status}: {count:,}" for status, count in sorted(counted.items()))
    verdict = "kept" if all(kind.is_in_time for kind in same) else "**missed**"
    p99_s = max(kind.p99_s for kind in same)
    return f"| {same[0].name} | {counted.total():,} | {statuses} | {p99_s * 1e3:,.0f} ms | {verdict} |"
