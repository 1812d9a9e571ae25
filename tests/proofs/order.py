"""
Strict order and exact limits, with crowds of thousands, in virtual time.

    python -m tests.proofs.order [--crowds N] [--buyers N]
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.order.crowd import Plan, run
from tests.order.judge import crowd_of, judge
from tests.order.mutants import CAUGHT_BY, MUTANTS

SMALL = Plan(buyers=500, max_active=10, rate=12.5, coming_s=20.0, latest_s=120.0)


def main() -> None:
    """Judge some crowds and then the mutants; exit 1 if a promise was broken, or a mutant got away."""
    parser = argparse.ArgumentParser(description="Prove order and limits.")
    parser.add_argument("--crowds", type=int, default=5)
    parser.add_argument("--buyers", type=int, default=5_000)
    arguments = parser.parse_args()
    plan = Plan(buyers=arguments.buyers)
    print(
        f"Buyers come within {plan.coming_s:g} s to a room with `max_active` {plan.max_active} and at most\n"
        f"{plan.rate:g} admissions a second; {plan.leaving:.0%} are to leave, {plan.going_away:.0%} to go away and\n"
        "return. Use cases, database and workers are the real ones, time is virtual. The judge\n"
        "(`tests/order/judge.py`) knows only what the buyers were told, and the record of passes.\n"
    )
    with TemporaryDirectory() as folder:
        broken = [
            promise
            for seed in range(1, arguments.crowds + 1)
            for promise in _crowd(replace(plan, seed=seed), Path(folder))
        ]
        got_away = [mutant for mutant in MUTANTS if not _is_caught(mutant, Path(folder))]
    sys.exit(1 if broken or got_away else 0)


def _crowd(plan: Plan, folder: Path) -> list[str]:
    print(f"crowd {plan.seed} ...", file=sys.stderr, flush=True)
    record = run(plan, folder)
    verdicts = judge(record)
    print(f"**Crowd {plan.seed}.** {crowd_of(record)}\n\n| promise | found |\n|---|---|")
    for verdict in verdicts:
        print(f"| {verdict.promise} | {verdict.figure} |")
    print()
    return [verdict.promise for verdict in verdicts if verdict.violations]


def _is_caught(mutant: str, folder: Path) -> bool:
    print(f"mutant {mutant} ...", file=sys.stderr, flush=True)
    with MUTANTS[mutant]():
        record = run(replace(SMALL, seed=len(mutant)), folder)
    found = {verdict.promise: verdict.figure for verdict in judge(record) if verdict.violations}
    caught = CAUGHT_BY[mutant] in found
    said = found.get(CAUGHT_BY[mutant], "got away")
    print(f"- Control: the mutant *{mutant}* {'is found out' if caught else 'GOT AWAY'}: {said}.")
    return caught


if __name__ == "__main__":
    main()
