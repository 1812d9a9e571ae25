"""Plays the same evening twice, with the breakers and without them, and shows both side by side."""

import argparse
import asyncio
import signal
import sys

from rich.console import Console

from scripts.bench.served import NotServedError
from scripts.breaker_demo.crowd import Rates
from scripts.breaker_demo.evening import Evening, an_evening
from scripts.breaker_demo.house import DEADLINE_S, WAIT_S
from scripts.breaker_demo.report import Screen, say_if_spoilt, side_by_side

STALL_S = 12.0
TERMINATED = 128 + signal.SIGTERM

WHAT_IS_DONE = f"""\
A crowd calls a server at a constant rate. After a few seconds something else takes the lock of its database, keeps
it, and lets it go. A caller waits {DEADLINE_S} s at most; the breakers are the seed's, but for a wait of {WAIT_S} s.
"""


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="make breaker-demo", description=__doc__)
    parser.add_argument("--seconds", type=float, default=STALL_S, help="how long the database is stalled")
    parser.add_argument("--load", type=float, default=1.0, help="times the usual load")
    given = parser.parse_args()
    # Whoever ends the demo early must not leave its server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    rates = Rates().times(given.load)
    console = Console()
    console.print(WHAT_IS_DONE, highlight=False, soft_wrap=True)

    def play(*, guarded: bool) -> Evening:
        title = "With the breakers" if guarded else "Without them: each is disabled by an operator's call"
        with Screen(console, title) as screen:
            return asyncio.run(an_evening(guarded=guarded, stall_s=given.seconds, rates=rates, show=screen.show))

    try:
        guarded, unguarded = play(guarded=True), play(guarded=False)
        side_by_side(console, guarded, unguarded)
        say_if_spoilt(console, guarded, unguarded)
    except NotServedError as error:
        console.print(str(error), markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
