"""
Twenty thousand buyers over HTTP, on two and four processes with either database: order and limits, from the record.

    python -m tests.proofs.crowd [--buyers 20000] [--seats 3000] [--at-once 2]
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from scripts.services import Redis
from tests.cluster.conftest import DATABASES, new_database
from tests.cluster.crowd import Plan
from tests.cluster.crowd_judge import Verdict
from tests.cluster.crowded import LEASE_LOST_EVERY_S, evening
from tests.cluster.disturbed import ASLEEP_EVERY_S, ASLEEP_S, LATE_S, UNFENCED
from tests.order.mutants import CAUGHT_BY as MUTANTS

PROCESSES = (2, 4)
SMALL = Plan(buyers=1_000, seats=300, max_active=30, rate=20.0, coming_s=15.0, latest_s=240.0)
CAUGHT_BY = {UNFENCED: "nobody is let in twice", **MUTANTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """How many processes serve, on which database, and what is taken out of them."""

    size: int
    database: str
    without: Sequence[str] = ()

    @property
    def name(self) -> str:
        """What it is called in the table."""
        return f"{self.size} x {self.database}"


def main() -> None:
    """Judge a crowd before each house, then the controls; exit 1 if a promise was broken or a control got away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--buyers", type=int, default=Plan().buyers)
    parser.add_argument("--seats", type=int, default=Plan().seats)
    parser.add_argument("--at-once", type=int, default=1, help="how many evenings share the machine")
    asked = parser.parse_args()
    usual = Plan()
    plan = replace(usual, buyers=asked.buyers, seats=asked.seats, coming_s=usual.coming_s * asked.buyers / usual.buyers)
    houses = [House(size=size, database=database) for database in DATABASES for size in PROCESSES]
    controls = [House(size=2, database="mariadb", without=[what]) for what in CAUGHT_BY]
    with ProcessPoolExecutor(asked.at_once) as evenings:
        verdicts = list(evenings.map(partial(_evening, plan), houses))
        caught = list(evenings.map(_evening, map(_small, controls), controls))
    print(_preamble(plan))
    print(_table(houses, verdicts))
    broken = [
        f"- {house.name}: {promise}: {'; '.join(found[:3])}"
        for house, verdict in zip(houses, verdicts, strict=True)
        for promise, found in verdict.wrong.items()
    ]
    print("\n".join(broken) + "\n" * bool(broken))
    escaped = [house for house, verdict in zip(controls, caught, strict=True) if not _is_caught(house, verdict)]
    sys.exit(1 if broken or escaped else 0)


def _small(control: House) -> Plan:
    # Where the line has come apart nobody is answered any more, so nobody waits for long.
    return replace(SMALL, latest_s=40.0) if UNFENCED in control.without else SMALL


def _evening(plan: Plan, house: House) -> Verdict:
    said = f"{house.name}{' without ' if house.without else ''}{', '.join(house.without)}"
    print(f"{said} ...", file=sys.stderr, flush=True)
    with (
        DATABASES[house.database]() as server,
        Redis() as redis,
        new_database(server) as url,
        tempfile.TemporaryDirectory() as folder,
    ):
        verdict = evening(plan, house.size, Path(folder), (url, redis.url), *house.without)
    print(f"{said}: {verdict.figures} {list(verdict.wrong)}", file=sys.stderr, flush=True)
    return verdict


def _preamble(plan: Plan) -> str:
    return (
        f"{plan.buyers:,} buyers come within {plan.coming_s:g} s to a room with `max_active` {plan.max_active} and at"
        f" most {plan.rate:g} admissions a second,\nfor {plan.seats:,} seats; {plan.leaving:.0%} are to leave,"
        f" {plan.going_away:.0%} to go away without a word and return, until the room is sold out. Each request goes\n"
        "to the next process, by its own address. One process reads on by itself only every"
        f" {LATE_S:g} s; one freezes for {ASLEEP_S:g} s, at most every {ASLEEP_EVERY_S:g} s, between the plan of\n"
        f"a turn and the store; and every {LEASE_LOST_EVERY_S:g} s whoever leads loses the lease. Order, overlap and"
        " rate are computed from the room's whole log in Redis, in its order;\n"
        "who was present is what buyers know of themselves (`tests/cluster/crowd_judge.py`).\n"
    )


def _table(houses: Sequence[House], verdicts: Sequence[Verdict]) -> str:
    head = ["", *(house.name for house in houses)]
    rows = [[what, *(verdict.figures[what] for verdict in verdicts)] for what in verdicts[0].figures]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---", *("--:" for _ in houses)], *rows]) + "\n"


def _is_caught(house: House, verdict: Verdict) -> bool:
    [without] = house.without
    found = verdict.wrong.get(CAUGHT_BY[without], ())
    said = f"is found out, by the promise that {CAUGHT_BY[without]}: {len(found)} times" if found else "GOT AWAY"
    print(f"- Control: the same with *{without}* {said}.")
    return bool(found)


if __name__ == "__main__":
    main()
