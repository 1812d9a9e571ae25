"""
Each part of a cluster is killed in the middle of a sale: how long it takes until seats are sold again.

    python -m tests.proofs.recovery [--seats 2000] [--databases mariadb postgresql]
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from sqlalchemy.engine import make_url

from scripts.services import MariaDB, PostgreSQL, Redis
from tests.cluster.evening import Cluster, lay_out, settings_for
from tests.cluster.recovery import HARMS, Round, play
from tests.cluster.sale import BUYERS_AT_ONCE
from tests.e2e.harness.programme import a_room, a_show

ENGINES: dict[str, type[MariaDB | PostgreSQL]] = {"mariadb": MariaDB, "postgresql": PostgreSQL}
SPARE_SEATS = 2 * BUYERS_AT_ONCE
PROCESSES = 2


def main() -> None:
    """Kill each part once with either database, and exit 1 if anything was wrong afterwards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seats", type=int, default=2_000)
    parser.add_argument("--databases", nargs="*", choices=ENGINES, default=list(ENGINES))
    asked = parser.parse_args()
    print(
        f"{PROCESSES} processes, {BUYERS_AT_ONCE} buyers at a time who reach them in turn, {asked.seats:,} seats.\n"
        "In the middle of the sale one part is ended by SIGKILL; an engine is started again at once, a server is not.\n"
        "Recovered: from the kill until more seats were sold than there were buyers under way.\n\n"
        "| database | killed | recovered after | seats sold | wrong afterwards |\n|---|---|--:|--:|---|"
    )
    rounds = [_round(kind, what, asked.seats) for kind in asked.databases for what in HARMS]
    sys.exit(1 if any(done.wrong for done in rounds) else 0)


def _round(kind: str, what: str, seats: int) -> Round:
    hall = a_room("hall", a_show(seats=seats + SPARE_SEATS))
    half = max(1, seats // 2 - BUYERS_AT_ONCE)
    with ENGINES[kind]() as database, Redis() as redis, tempfile.TemporaryDirectory() as folder:
        url = make_url(database.new_database()).set(drivername=kind).render_as_string(hide_password=False)
        programme = asyncio.run(lay_out(url, [hall], members=2 * seats + SPARE_SEATS))
        with Cluster.of(PROCESSES, Path(folder), settings_for(url, redis.url), programme) as cluster:
            done = asyncio.run(play(what, cluster, redis, database, room_id=hall.id, before=half, after=half))
    wrong = "; ".join(" ".join(each.split())[-300:] for each in done.wrong) or "nothing"
    print(f"| {kind} | {what} | {done.recovered_s:.1f} s | {done.sold:,} | {wrong} |", flush=True)
    return done


if __name__ == "__main__":
    main()
