"""
Ten minutes of a sale on the cluster profile while every dependency comes and goes: nothing grows, nothing was untrue.

    python -m tests.proofs.soak [--seconds 600] [--seed 1] [--database mariadb]
"""

import argparse
import sys

from tests.chaos.house import DATABASES
from tests.chaos.plan import Dependency
from tests.chaos.report import verdict_lines
from tests.soak.growth import growths, table
from tests.soak.play import RATES, Soak, soak

WARM_UP_SHARE = 0.2
"""By then every process has met every fault, and its pools and caches are full."""


def main() -> None:
    """Sell, and exit 1 if anything grew or any answer was untrue."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=DATABASES, default="mariadb")
    asked = parser.parse_args()
    done = soak(asked.seconds, seed=asked.seed, database=asked.database, say=note)
    found = growths(done.samples, warm_up_s=WARM_UP_SHARE * asked.seconds)
    print(introduction(done, asked.database, asked.seed))
    print(table(found))
    print(f"\n{verdict_lines(done.verdict)}")
    sys.exit(1 if done.verdict.wrong or any(one.is_leak for one in found) else 0)


def introduction(done: Soak, database: str, seed: int) -> str:
    """Say what was done."""
    outages = done.script.outages
    counts = ", ".join(
        f"{sum(outage.dependency is one for outage in outages)} of {one.value} "
        f"({sum(outage.lasts_s for outage in outages if outage.dependency is one):.0f} s)"
        for one in Dependency
    )
    return (
        f"Two servers, a relay and a consumer on {database}, Redis and Kafka for {done.script.seconds:.0f} s;"
        f" {RATES.arrivals:g} buyers come a second.\nOutages, by seed {seed}: {counts}.\n\n"
        "Each figure was sampled every second. A floor is what nine tenths of the samples of a third are not below;\n"
        f"the first third begins after {WARM_UP_SHARE:.0%} of the time.\n"
    )


def note(sentence: str) -> None:
    """Tell whoever waits how it goes."""
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
