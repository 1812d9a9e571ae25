"""
Has one evening again: `python -m tests.simulation --seed 7 --steps 200`.

Prints what happened, and exits 1 if anything turned out to be false.
"""

import argparse
import os
import sys

from tests.simulation.run import simulate


def main() -> None:
    """Run the evening of a seed."""
    parser = argparse.ArgumentParser(description="Simulate an evening.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=120)
    arguments = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order in which a set of words is gone through is drawn anew in each process, unless this says otherwise.
        again = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, again, {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606 -- this very program
    outcome = simulate(arguments.seed, arguments.steps)
    print(f"seed {outcome.seed}: {outcome.steps} steps in {outcome.lives} lives of the server")
    for what, times in sorted(outcome.happened.items()):
        print(f"  {what}: {times}")
    for contradiction in outcome.contradictions:
        print(f"FALSE: {contradiction}")
    sys.exit(1 if outcome.contradictions else 0)


if __name__ == "__main__":
    main()
