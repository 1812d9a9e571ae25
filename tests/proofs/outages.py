"""
Every way in which Redis, the database or Kafka can fail under a cluster, measured, and polls while a database hangs.

    python -m tests.proofs.outages [--at-once N] [--seconds N] [--page]
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.outage_cluster.cells import Cell, Dependency
from tests.outage_cluster.house import engines, rows_of
from tests.outage_cluster.play import Played, play_rows
from tests.outage_cluster.polls import polls_over_a_hang
from tests.outage_cluster.table import SECTION
from tests.outage_cluster.table import rows_of as table_of
from tests.outage_cluster.verdict import GRACE_S, IN_TIME_MIN, broken, late, too_slow
from tests.proofs._stalls import STALLS, report_stalls

DATABASES = (Dependency.MARIADB, Dependency.POSTGRESQL)


def main() -> None:
    """Play all cells, then poll; exit 1 if anything is not as it has to be."""
    parser = argparse.ArgumentParser(description="Prove what outages do to a cluster.")
    parser.add_argument("--at-once", type=int, default=1, help="so many servers side by side (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=8.0, help="for so long it is polled (default: %(default)s); 0: not at all"
    )
    parser.add_argument("--page", action="store_true", help="write the table into docs/reference/outages.md as well")
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="stagedoor-outages-") as folder, engines() as started:
        played = asyncio.run(play_rows(started, rows_of(), Path(folder), at_once=asked.at_once))
        holds = report(played)
        for dependency in DATABASES if asked.seconds else ():
            print(f"### {dependency.value} hangs\n")
            holds &= report_stalls(
                [
                    asyncio.run(polls_over_a_hang(started, dependency, Path(folder) / str(nth), seconds=asked.seconds))
                    for nth in range(STALLS)
                ],
                asked.seconds,
            )
    if asked.page:
        SECTION.write(table_of(played))
    sys.exit(0 if holds else 1)


def report(played: Mapping[Cell, Played]) -> bool:
    """Print the table and what it comes to; return whether every cell is as it has to be."""
    print(SECTION.text(table_of(played)).partition("-->\n\n")[2])
    answers = sum(len(one.took) for one in played.values())
    missed = sum(len(late(one, by_s=GRACE_S)) for one in played.values())
    in_time = 1 - missed / answers
    print(f"\n{answers:,} answers, {in_time:.3%} of them within their deadline and {GRACE_S * 1e3:.0f} ms.\n")
    wrong = [f"{one.cell}: {what}" for one in played.values() for what in (*broken(one), *too_slow(one))]
    print("".join(f"- {what}\n" for what in wrong))
    return not wrong and in_time >= IN_TIME_MIN


if __name__ == "__main__":
    main()
