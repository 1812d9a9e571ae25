"""
`kill -9`, again and again, under load: every answer that was given is still true afterwards.

    python -m tests.proofs.kill [--kills 200] [--seed 1]
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.e2e.harness.evening import Evening, make_members
from tests.kill.rounds import FANS, HOLD_SECONDS, PROCESSES, ROOMS, Ordeal, Tally, play

KILLS_AN_EVENING = 20
ANSWERS_MAX = 1_200
KILL_STARTS = 0.1
KILL_STOPS = 0.1


async def evening_after_evening(kills: int, seed: int, folder: Path) -> Tally:
    """Kill *kills* times, on a new database every few; stop at the first contradiction."""
    members = folder / "members.db"
    make_members(members)
    tally = Tally()
    evenings = 0
    while len(tally.in_flight) < kills and not tally.wrong:
        evenings += 1
        night = folder / f"evening-{evenings}"
        night.mkdir()
        some = min(KILLS_AN_EVENING, kills - len(tally.in_flight))
        with Evening.on(
            night / "stagedoor.db", ROOMS, members=members, settings={"HOLD_SECONDS": HOLD_SECONDS}
        ) as evening:
            ordeal = Ordeal(kills=some, answers_max=ANSWERS_MAX, starts=KILL_STARTS, stops=KILL_STOPS)
            tally.add(await play(evening, ordeal, seed=seed + evenings))
        print(summary(tally), file=sys.stderr, flush=True)
    return tally


def summary(tally: Tally) -> str:
    """Return the figures as a Markdown table."""
    kills = len(tally.in_flight)
    late = sorted(tally.ready_late_ms)
    rows = {
        "kills under load": kills,
        "of these with 20 requests or more in flight": tally.busy,
        "requests in flight, median": f"{tally.median_in_flight:g}",
        "starts killed on the way up": tally.starts_killed,
        "stops killed on the way down": tally.stops_killed,
        "answers recorded and compared": f"{tally.answers:,}",
        "from the credit of the outage to the first answer, median and most": (
            f"{late[len(late) // 2]} ms, {late[-1]} ms" if late else "-"
        ),
        "contradictions": len(tally.wrong),
    }
    table = ["| | |", "|---|--:|", *(f"| {what} | {figure} |" for what, figure in rows.items())]
    return "\n".join([*table, *(f"\n- {what}" for what in tally.wrong[:20])])


def main() -> None:
    """Kill, and exit 1 if any answer was not true."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stagedoor-kill-") as folder:
        tally = asyncio.run(evening_after_evening(asked.kills, asked.seed, Path(folder)))
    print(f"{PROCESSES} client processes with {FANS} buyers each; seed {asked.seed}.\n")
    print(summary(tally))
    sys.exit(1 if tally.wrong or 2 * tally.busy <= len(tally.in_flight) else 0)


if __name__ == "__main__":
    main()
