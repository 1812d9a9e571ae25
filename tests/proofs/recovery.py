"""
Each part of a cluster is killed or frozen in the middle of a sale: how long until it goes on, and whether all was true.

    python -m tests.proofs.recovery [--seats 2000] [--databases mariadb postgresql] [--only "Redis is killed" ...]
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.cluster.house import ENGINES, PROCESSES, House
from tests.cluster.recovery import HARMS, SLEEP_S, Crowd, Harm, Round, freeze_the_admitter, play
from tests.e2e.harness.programme import a_room, a_show

MAX_ACTIVE, RATE = 80, 120.0
PRESENT, IN_VAIN = 160, 100
SLEEPY: Sequence[str] = ("-m", "tests.cluster.falls_asleep")
UNFENCED = (str(Path(__file__).parents[1] / "cluster" / "mutants" / "no_fence.py"),)
CONTROL_SEATS = 200


INTRODUCTION = """
{seats:,} seats, and {in_vain} buyers too many; {present} of them are there at a time, at most {max_active} inside, and
at most {rate:g} are let in a second. {processes} servers behind nginx, {processes} relays, one consumer, Redis without
persistence, Kafka of one node and the database, all on this one machine, and the crowd too. Once half of the seats are
sold one part is ended by SIGKILL and started again at once, or it is frozen (SIGSTOP) for {sleep:g} s at the worst
moment: with a turn in its hand, or the note of what it has sent. Buyers ask again until they are answered, so every
seat has to be sold.

- *recovered*: from the harm until a buyer who asked after it had joined, one was let in, one had paid, and one was
  told of an order paid after it, by the consumer. The four are in the next column.
- *longest wait*: what a buyer had to ask for longest until she had her answer, asking again included.
- *503*, *cut*: answers that put a buyer off from then on, and requests that had no answer at all.
- *compared*: the answers that were held against each other and against the rows that are stored in the end
  (`tests/cluster/truth.py`), and *wrong* what differed.
- *sent*, *acted on*: deliveries of paid orders on Kafka's topic, and notifications, of as many orders as seats.
- *refused*: how often the store refused who had slept.

| database | what happens | recovered | joined, let in, paid, told | longest wait | 503 | cut | compared | wrong | \
sent | acted on | `check` | refused |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|--:|
"""


def main() -> None:
    """Do each harm once on either database, and exit 1 if anything was wrong afterwards, or the control got away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seats", type=int, default=2_000)
    parser.add_argument("--databases", nargs="*", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--only", nargs="*", choices=HARMS, default=list(HARMS), metavar="HARM")
    asked = parser.parse_args()
    figures = {"in_vain": IN_VAIN, "present": PRESENT, "max_active": MAX_ACTIVE, "rate": RATE}
    told = INTRODUCTION.format(seats=asked.seats, processes=PROCESSES, sleep=SLEEP_S, **figures)
    print(told.strip().replace("\\\n", ""), flush=True)
    crowd = Crowd(buyers=asked.seats + IN_VAIN, present=PRESENT, before=asked.seats // 2)
    failures: list[str] = []
    for kind in asked.databases:
        for what in asked.only:
            done = _played(kind, HARMS[what], asked.seats, crowd, SLEEPY)
            row = _row(kind, what, done)
            print(row, flush=True)
            print(row, file=sys.stderr, flush=True)
            failures += [f"{kind}, {what}: {each}" for each in (*done.wrong[:5], done.check[-2_000:]) if each]
    control = _control()
    print(
        "\nControl: with the fence taken out of the script for turns (`tests/cluster/mutants/no_fence.py`) an\n"
        f"admitter that wakes up is not refused, and of `check` {control or 'NOTHING'} does not hold.\n\n"
        f"{os.cpu_count()} processors, a load of {os.getloadavg()[2]:.0f} in the last quarter of an hour: where it is\n"
        "much more than they are, others were at work here, and the times are upper bounds."
    )
    for failure in failures:
        print(f"\n- {failure}")
    sys.exit(1 if failures or not control else 0)


def _played(kind: str, harm: Harm, seats: int, crowd: Crowd, program: Sequence[str]) -> Round:
    hall = a_room("hall", a_show(seats=seats), max_active=MAX_ACTIVE, rate=RATE)
    with House.of(kind, hall, members=crowd.buyers, program=program) as house:
        return asyncio.run(play(harm, house, hall.id, crowd))


def _row(kind: str, what: str, done: Round) -> str:
    longest = done.asked_longest
    cells = (
        kind,
        what,
        f"{done.recovered_ms / 1_000:.1f} s",
        ", ".join(f"{ms / 1_000:.1f}" for ms in done.after.values()),
        f"{(longest.until - longest.since) / 1_000:.1f} s ({longest.what})",
        f"{done.put_off:,}",
        f"{done.unanswered}",
        f"{done.answers:,}",
        f"{len(done.wrong)}",
        f"{done.sent:,}",
        f"{done.acted_on:,}",
        "NOT CLEAN" if done.check else "clean",
        "-" if done.harmed.refused is None else f"{done.harmed.refused}",
    )
    return f"| {' | '.join(cells)} |"


def _control() -> str:
    """Return which invariants do not hold once the fence is out, nothing where all of them do."""
    crowd = Crowd(buyers=CONTROL_SEATS, present=PRESENT, before=CONTROL_SEATS // 2)
    done = _played("mariadb", partial(freeze_the_admitter, seconds=SLEEP_S), CONTROL_SEATS, crowd, UNFENCED)
    broken = [line.split(" does not hold")[0] for line in done.check.splitlines() if " does not hold. " in line]
    return ", ".join(broken)


if __name__ == "__main__":
    main()
