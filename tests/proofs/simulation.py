"""
Evenings by chance, for as long as wanted: nothing that was answered turns out to be false.

    python -m tests.proofs.simulation [--seconds N] [--first-seed N] [--steps N]
"""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.mutants import MUTANTS
from tests.simulation.run import simulate

MUTANT_SEEDS = range(1, 13)
MUTANT_STEPS = 120


def main() -> None:
    """Simulate until the time is over; exit 1 if anything was false, or a mutant got away."""
    parser = argparse.ArgumentParser(description="Simulate evenings.")
    parser.add_argument("--seconds", type=float, default=3_600)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    print(
        "The whole server (`bootstrap.house.build`) on SQLite, in virtual time, with faults: commits that fail, lose\n"
        "their answers or are lost sight of; a locked database, a slow disk, full queues, callers that give up, a\n"
        "process that stands still, sudden deaths at any step of the database, restarts. After each step every\n"
        "invariant of `stagedoor check` and everything that was answered is held against what is stored.\n"
    )
    false = _evenings(arguments.first_seed, arguments.steps, until=time.monotonic() + arguments.seconds)
    got_away = [mutant for mutant in MUTANTS if not _is_caught(mutant)]
    sys.exit(1 if false or got_away else 0)


def _evenings(first_seed: int, steps: int, *, until: float) -> bool:
    happened: Counter[str] = Counter()
    seed, lives, taken, false = first_seed, 0, 0, False
    while time.monotonic() < until:
        outcome = simulate(seed, steps)
        happened += outcome.happened
        lives, taken = lives + outcome.lives, taken + outcome.steps
        if outcome.contradictions:
            false = True
            again = f"python -m tests.simulation --seed {seed} --steps {steps}"
            print(f"**FALSE** with `{again}`: {outcome.contradictions[0]}\n")
        seed += 1
        print(f"{seed - first_seed} evenings", file=sys.stderr, flush=True)
    evenings = f"{seed - first_seed} evenings (seeds {first_seed} to {seed - 1})"
    print(f"{evenings}, {taken} steps, {lives} lives of the server.\n")
    print("| what happened | times |\n|---|--:|")
    for what, times in sorted(happened.items()):
        print(f"| {what} | {times} |")
    print()
    return false


def _is_caught(mutant: str) -> bool:
    print(f"mutant {mutant} ...", file=sys.stderr, flush=True)
    with MUTANTS[mutant]():
        for seed in MUTANT_SEEDS:
            if found := simulate(seed, MUTANT_STEPS).contradictions:
                print(f"- Control: *{mutant}* is found out by seed {seed}: {found[0]}")
                return True
    print(f"- Control: *{mutant}* GOT AWAY")
    return False


if __name__ == "__main__":
    main()
