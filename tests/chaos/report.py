"""What a sale in chaos came to, as Markdown: each outage and what it led to, the sale by a few seconds, the verdict."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tests.chaos.crowd import Outcome
from tests.chaos.judge import Verdict
from tests.chaos.timeline import Consequence, Timeline, quantile

LEGEND = """\
*Opened* are breakers, with the seconds since the outage began; *good again* is the time from its end until nothing
more was put off or failed."""

STEP_S = 5
SAID_MAX = 20


def report(timeline: Timeline, verdict: Verdict, *, title: str, below: str) -> str:
    """Return the whole page; *below* says what was run where."""
    return "\n\n".join(
        [
            f"# {title}",
            below,
            "## The outages",
            outages_table(timeline.consequences),
            LEGEND,
            "## The sale",
            seconds_table(timeline),
            "## The verdict",
            verdict_lines(verdict),
            "",
        ]
    )


def outages_table(consequences: Iterable[Consequence]) -> str:
    """Return a row for each outage."""
    head = (
        "| at | for | dependency | it | answers meanwhile | p99 | slowest | let in | opened | good again |",
        "|--:|--:|---|---|---|--:|--:|--:|---|--:|",
    )
    return "\n".join([*head, *map(_outage_row, consequences)])


def _outage_row(one: Consequence) -> str:
    first: dict[tuple[str, str], float] = {}
    for change in one.opened:
        first.setdefault((change.process, change.breaker), change.at_s - one.outage.at_s)
    opened = ", ".join(f"{process}: {name} +{after:.1f} s" for (process, name), after in first.items())
    cells = [
        f"{one.outage.at_s:.0f} s",
        f"{one.outage.lasts_s:.0f} s",
        one.outage.dependency.value,
        one.outage.label,
        _counted(one.outcomes),
        f"{one.p99_s * 1e3:,.0f} ms",
        f"{one.slowest_s * 1e3:,.0f} ms",
        f"{one.admitted}",
        opened or "none",
        f"{one.recovered_s:.1f} s",
    ]
    return f"| {' | '.join(cells)} |"


def seconds_table(timeline: Timeline) -> str:
    """Return a row for every few seconds."""
    outcomes = " | ".join(outcome.value for outcome in Outcome)
    lines = [
        f"| seconds | {outcomes} | polls | p50 of changes | p99 of changes | let in | waiting | outages | not closed |",
        "|---|" + "--:|" * (len(Outcome) + 5) + "---|---|",
    ]
    for start in range(0, timeline.length_s, STEP_S):
        some = timeline.seconds[start : start + STEP_S]
        end = start + len(some)
        counts = sum((Counter(second.outcomes) for second in some), Counter[Outcome]())
        polls = sum((Counter(second.polls) for second in some), Counter[Outcome]())
        changes = sorted(took for second in some for took in second.changes_s)
        waiting = max((second.waiting for second in some if second.waiting is not None), default=None)
        outages = [
            f"{one.dependency} {one.label}" for one in timeline.outages if one.at_s < end and one.until_s > start
        ]
        cells = [
            f"{start}-{end}",
            *(str(counts[outcome]) for outcome in Outcome),
            f"{polls.total()}"
            + (
                f", {polls.total() - polls[Outcome.ANSWERED]} not answered 200"
                if set(polls) - {Outcome.ANSWERED}
                else ""
            ),
            _ms(quantile(changes, 0.5)),
            _ms(quantile(changes, 0.99)),
            str(sum(second.admitted for second in some)),
            "-" if waiting is None else str(waiting),
            ", ".join(outages),
            ", ".join(_not_closed(timeline, start, end)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _not_closed(timeline: Timeline, start: float, end: float) -> list[str]:
    """Return the breakers that were open, or half open, for a moment between *start* and *end*, by their processes."""
    found: dict[str, list[str]] = {}
    for (process, name), spans in timeline.breakers.items():
        if any(span.what != "closed" and span.from_s < end and span.to_s > start for span in spans):
            found.setdefault(process, []).append(name)
    return [f"{process}: {' '.join(names)}" for process, names in found.items()]


def verdict_lines(verdict: Verdict) -> str:
    """Return what holds, or everything that does not."""
    rows: Mapping[str, object] = {
        "answers recorded and compared": f"{verdict.compared:,}",
        "seats sold, each once": f"{verdict.sold:,} in {verdict.orders:,} orders",
        "`stagedoor check`": verdict.check,
        "from the last answer until everything was told of": f"{verdict.caught_up_s:.1f} s",
        "the buyers themselves were late by at most": f"{verdict.crowd_late_s:.2f} s",
        "contradictions": len(verdict.wrong),
    }
    table = ["| | |", "|---|---|", *(f"| {what} | {found} |" for what, found in rows.items())]
    return "\n".join([*table, *_some(verdict.wrong)])


def _some(wrong: Sequence[str]) -> list[str]:
    lines = [f"\n- {what}" for what in wrong[:SAID_MAX]]
    return [*lines, f"\n- and {len(wrong) - SAID_MAX} more"] if len(wrong) > SAID_MAX else lines


def _counted(outcomes: Mapping[Outcome, int]) -> str:
    return ", ".join(f"{outcome.value}: {outcomes[outcome]}" for outcome in Outcome if outcomes.get(outcome))


def _ms(took_s: float | None) -> str:
    return "-" if took_s is None else f"{took_s * 1e3:,.0f} ms"
