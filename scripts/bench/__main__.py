"""`make bench`: measures the rows asked for, writes build/bench.json and prints the table."""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from scripts.bench import wrk
from scripts.bench.cores import Cores
from scripts.bench.rounds import VoidError
from scripts.bench.run import NAMES, Run
from scripts.bench.served import ROOT, NotServedError
from scripts.bench.stage import Size
from stagedoor.observability.logs import set_up

OUTPUT = ROOT / "build" / "bench.json"
WORK = ROOT / "build" / "bench"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure; exit 1 if that was not possible. A missed target is said in the table and is no failure."""
    parser = argparse.ArgumentParser(description="Measure the server beside the floor.")
    parser.add_argument("--pairs", type=int, default=7, help="pairs of rounds a row (7 or more for a figure to quote)")
    parser.add_argument("--seconds", type=int, default=3, help="how long a round is")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("names", nargs="*", metavar="ROW", help=f"some of {', '.join(NAMES)}")
    chosen = parser.parse_args(arguments)
    names = chosen.names or NAMES
    if unknown := set(names) - {*NAMES}:
        parser.error(f"there is no row {', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    if not wrk.is_here():
        sys.exit(wrk.MISSING)
    signal.signal(signal.SIGTERM, _leave)
    set_up(style="console", level="warning")
    WORK.mkdir(parents=True, exist_ok=True)
    # Beside the checkout's other files, so that a sync takes as long as it would for the product's own data.
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        try:
            run = Run(size=Size(pairs=chosen.pairs, seconds=chosen.seconds), cores=Cores.choose(), folder=Path(folder))
            run.rows(names)
        except (VoidError, NotServedError, wrk.WrkFailedError) as failed:
            sys.exit(f"Not measured: {failed}")
        except KeyboardInterrupt:
            sys.exit("Interrupted.")
    run.report.write(chosen.output)
    print(*run.report.lines(), f"\n{run.setting}", f"Written to {os.path.relpath(chosen.output)}.", sep="\n")


def _leave(number: int, _frame: FrameType | None) -> None:
    """Exit by way of every `finally`, so that no server is left behind."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
