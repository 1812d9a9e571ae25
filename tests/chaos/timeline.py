"""What happened in each second of a sale, and what came of each outage: the figures of the picture and of the table."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.crowd import Outcome, Seen
from tests.chaos.plan import Outage
from tests.chaos.sale import Sale
from tests.chaos.watch import CLOSED, Change, Span, paused_spans, spans_of
from tests.kill.stored import Stored

Breaker = tuple[str, str]
"""A process and the breaker's name."""

AFTER_S_MAX = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """
    One second: the requests that began in it by outcome, *polls* apart from all others, and how long they took.

    *waiting* is how many stood in the line, None where nobody could be asked.
    """

    number: int
    outcomes: Mapping[Outcome, int]
    polls: Mapping[Outcome, int]
    changes_s: Sequence[float]
    polls_s: Sequence[float]
    admitted: int
    waiting: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """
    What an outage led to until the next one began.

    *recovered_s* is when, after its end, the last request began that was put off or failed; 0 if none did.
    """

    outage: Outage
    outcomes: Mapping[Outcome, int]
    p99_s: float
    slowest_s: float
    admitted: int
    opened: Sequence[Change]
    recovered_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A sale by the second."""

    seconds: Sequence[Second]
    outages: Sequence[Outage]
    breakers: Mapping[Breaker, Sequence[Span]]
    paused: Sequence[Span]
    consequences: Sequence[Consequence]

    @property
    def length_s(self) -> int:
        """How many seconds there are."""
        return len(self.seconds)

    @classmethod
    def of(cls, sale: Sale) -> "Timeline":
        """Put together what was seen in *sale*."""
        length = int(sale.script.seconds)
        seen, changes = sale.crowd.seen, sale.changes
        admitted = admitted_at(sale.verdict.stored, sale.crowd.opened_at_ms)
        waiting: dict[int, int] = {}
        for look in sale.watch.looks:
            second = int(look.at_s)
            waiting[second] = max(waiting.get(second, 0), look.waiting)
        by_second: list[list[Seen]] = [[] for _ in range(length)]
        for one in seen:
            if 0 <= one.at_s < length:
                by_second[int(one.at_s)].append(one)
        let_in = Counter(int(at_s) for at_s in admitted)
        breakers = spans_of(changes, seconds=length)
        return cls(
            seconds=[
                Second(
                    number=number,
                    outcomes=Counter(one.outcome for one in those if not one.is_poll),
                    polls=Counter(one.outcome for one in those if one.is_poll),
                    changes_s=sorted(one.took_s for one in those if one.is_change),
                    polls_s=sorted(one.took_s for one in those if one.is_poll),
                    admitted=let_in[number],
                    waiting=waiting.get(number),
                )
                for number, those in enumerate(by_second)
            ],
            outages=sale.script.outages,
            breakers={key: breakers.get(key, [Span(0, length, CLOSED)]) for key in _all_breakers(sale, breakers)},
            paused=paused_spans(sale.watch.looks, seconds=length),
            consequences=[
                _consequence(outage, sale.script.outages, seen, admitted, changes) for outage in sale.script.outages
            ],
        )


def admitted_at(stored: Stored, opened_at_ms: int) -> list[float]:
    """Return when each buyer was let in, in seconds of the sale, as it is recorded."""
    return [(row.admitted_at - opened_at_ms) / 1_000 for row in stored.passes.values()]


def quantile(sorted_values: Sequence[float], share: float) -> float | None:
    """Return the value that so large a *share* does not exceed, None of nothing."""
    if not sorted_values:
        return None
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


SHOWN: Mapping[str, Sequence[str]] = {
    "server 1": ("queueService", "saleService", "concertService", "redis", "database", "databaseReads"),
    "server 2": ("queueService", "saleService", "concertService", "redis", "database", "databaseReads"),
    "relay": ("kafka",),
}
"""The breakers that each process has."""


def _all_breakers(sale: Sale, changed: Iterable[Breaker]) -> list[Breaker]:
    known = [(process, name) for process in sale.watch.house.processes for name in SHOWN.get(process, ())]
    return [*known, *sorted(set(changed) - set(known))]


def _consequence(
    outage: Outage,
    outages: Sequence[Outage],
    seen: Sequence[Seen],
    admitted: Sequence[float],
    changes: Sequence[Change],
) -> Consequence:
    until_s = min(
        (other.at_s for other in outages if other.at_s >= outage.until_s), default=outage.until_s + AFTER_S_MAX
    )
    those = [one for one in seen if outage.at_s <= one.at_s < outage.until_s]
    bad = {Outcome.PUT_OFF, Outcome.FAILED}
    after = [one.at_s for one in seen if outage.until_s <= one.at_s < until_s and one.outcome in bad]
    took = sorted(one.took_s for one in those)
    return Consequence(
        outage=outage,
        outcomes=Counter(one.outcome for one in those),
        p99_s=quantile(took, 0.99) or 0.0,
        slowest_s=max(took, default=0.0),
        admitted=sum(outage.at_s <= at_s < outage.until_s for at_s in admitted),
        opened=[change for change in changes if change.state == "open" and outage.at_s <= change.at_s < until_s],
        recovered_s=max(after) - outage.until_s if after else 0.0,
    )
