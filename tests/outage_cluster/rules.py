"""
What has to be so in every outage, whatever the speed of the machine: each rule returns what is wrong, in words.

And what the buyers of each dependency are promised (decision 38) while nothing
of it is answered: for answers to what was sent in the outage and answered in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.checkers import TAKEN, keys_with_two_effects, paid_twice, seats_promised_twice
from tests.e2e.harness.client import Client
from tests.e2e.harness.promises import CHARGE, CHECK, JOIN, LEAVE, PAY, RESERVE
from tests.outage_cluster.cells import Cell, Dependency

OK, UNAVAILABLE = 200, 503

SCHEDULE, SEATS, STATUS, RELEASE = "schedule", "seats", "status", "release"
NAMES: Mapping[tuple[str, str], str] = {
    JOIN: "join",
    CHECK: "check",
    LEAVE: "leave",
    RESERVE: "reserve",
    PAY: "pay",
    CHARGE: "charge",
    ("GET", "/concerts/schedule"): SCHEDULE,
    ("GET", "/concerts/seat"): SEATS,
    ("GET", "/queue/status"): STATUS,
}
LISTS = frozenset({SCHEDULE, SEATS})
WRITES = frozenset({"reserve", "pay", "charge", RELEASE})
LINE_WRITES = frozenset({"join", "leave"})
SHOWN = frozenset({"check", STATUS})

STALE_AFTER_MS = 3_000
"""Two seconds without news, and whoever looks for that has looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """When it was, by the wall clock of the machine."""

    began_at: int
    ended_at: int

    def holds(self, answer: Answer, *, since_ms: int = 0) -> bool:
        """Say whether the answer was asked for and given in it, and *since_ms* after its beginning."""
        return self.began_at + since_ms < answer.sent_at and answer.answered_at < self.ended_at


def name_of(answer: Answer) -> str:
    """Name the call that was answered."""
    return NAMES.get((answer.method, answer.path.partition("?")[0]), RELEASE)


def _is_a_rivals(answer: Answer) -> bool:
    return name_of(answer) == "reserve" and answer.verdict == TAKEN


def broken(client: Client) -> Iterator[str]:
    """Say what no outage may bring about."""
    for cut in client.cut:
        yield f"never answered: {cut.method} {cut.path} by {cut.buyer_id}"
    for answer in client.record:
        if answer.status not in {OK, UNAVAILABLE} and not _is_a_rivals(answer):
            yield f"neither granted nor put off: {answer}"
        if answer.status == UNAVAILABLE and "retry-after" not in answer.headers:
            yield f"without Retry-After: {answer}"
        if answer.ok and name_of(answer) in LISTS and not answer.rows:
            yield f"an empty list: {answer}"
    yield from seats_promised_twice(client.record)
    yield from paid_twice(client.record)
    yield from keys_with_two_effects(client.record)


def unkept(cell: Cell, outage: Outage, record: Sequence[Answer]) -> Iterator[str]:
    """Say which promises of a dependency's total outage were not kept."""
    if not cell.is_total:
        return
    during = [answer for answer in record if outage.holds(answer)]
    if cell.dependency is Dependency.KAFKA:
        yield from _only(OK, during, "Kafka stops nothing")
        return
    yield from _only(OK, [answer for answer in during if name_of(answer) in SHOWN], "who waits is told how she stands")
    yield from _nobody_admitted(during)
    yield from _marked(outage, during)
    if cell.dependency is Dependency.REDIS:
        bought = [answer for answer in during if name_of(answer) in WRITES | LISTS]
        yield from _only(OK, bought, "who is inside goes on buying")
        yield from _only(UNAVAILABLE, [each for each in during if name_of(each) in LINE_WRITES], "joins fail closed")
    else:
        written = [answer for answer in during if name_of(answer) in WRITES | {"leave"}]
        yield from _only(UNAVAILABLE, written, "what has to be written fails closed")
        # Members are remembered, and Redis takes them in until it is known that nobody could sell to them.
        joined = [each for each in during if name_of(each) == "join" and outage.holds(each, since_ms=STALE_AFTER_MS)]
        yield from _only(UNAVAILABLE, joined, "joins fail closed")


def _only(status: int, answers: Sequence[Answer], why: str) -> Iterator[str]:
    for answer in answers:
        if answer.status != status and not (status == OK and _is_a_rivals(answer)):
            yield f"{why}: {answer}"


def _nobody_admitted(during: Sequence[Answer]) -> Iterator[str]:
    """From when it is said that admission is paused, nobody is let in."""
    seen = [answer.data for answer in sorted(during, key=lambda each: each.answered_at) if name_of(answer) == STATUS]
    paused = [document for document in seen if document["admissionPaused"]]
    if not paused:
        yield "nobody was told that admission is paused"
    for before, after in pairwise(paused):
        if after["servingNumber"] != before["servingNumber"]:
            yield f"let in while admission was paused: {before} then {after}"


def _marked(outage: Outage, during: Sequence[Answer]) -> Iterator[str]:
    """What is shown of a line without news says so."""
    for answer in during:
        late = outage.holds(answer, since_ms=STALE_AFTER_MS)
        if late and answer.ok and name_of(answer) in SHOWN and answer.data.get("stale") is not True:
            yield f"shown as if it were fresh: {answer}"
