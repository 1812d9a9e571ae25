"""`make bench`: measures the rows asked for, writes build/bench.json and prints the table."""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from scripts.bench import engines, wrk
from scripts.bench.cluster_rows import CLUSTER_ROWS
from scripts.bench.cores import Cores
from scripts.bench.rounds import VoidError
from scripts.bench.run import EMBEDDED, Profile, Run
from scripts.bench.served import ROOT, NotServedError
from scripts.bench.stage import Size
from stagedoor.observability.logs import set_up

CLUSTER = "cluster"
PROFILES = {"embedded": EMBEDDED, CLUSTER: Profile(rows=CLUSTER_ROWS)}
OUTPUTS = {"embedded": ROOT / "build" / "bench.json", CLUSTER: ROOT / "build" / "bench-cluster.json"}
WORK = ROOT / "build" / "bench"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure; exit 1 if that was not possible. A missed target is said in the table and is no failure."""
    parser = argparse.ArgumentParser(description="Measure the server beside the floor.")
    parser.add_argument("--profile", choices=PROFILES, default="embedded", help="what the server stands on")
    parser.add_argument("--pairs", type=int, default=7, help="pairs of rounds a row (7 or more for a figure to quote)")
    parser.add_argument("--seconds", type=int, default=3, help="how long a round is")
    parser.add_argument("--output", type=Path, help="where the figures go (build/bench.json, build/bench-cluster.json)")
    parser.add_argument("names", nargs="*", metavar="ROW", help="some of the profile's rows")
    chosen = parser.parse_args(arguments)
    profile, output = PROFILES[chosen.profile], chosen.output or OUTPUTS[chosen.profile]
    names = chosen.names or profile.names
    if unknown := set(names) - {*profile.names}:
        parser.error(f"there is no row {', '.join(sorted(unknown))}: there are {', '.join(profile.names)}")
    if not wrk.is_here():
        sys.exit(wrk.MISSING)
    if chosen.profile == CLUSTER and (missing := engines.missing()):
        sys.exit(f"make bench PROFILE=cluster needs {', '.join(missing)}, which this machine does not have.")
    signal.signal(signal.SIGTERM, _leave)
    set_up(style="console", level="warning")
    WORK.mkdir(parents=True, exist_ok=True)
    # Beside the checkout's other files, so that a sync takes as long as it would for the product's own data.
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        try:
            size = Size(pairs=chosen.pairs, seconds=chosen.seconds)
            run = Run(size=size, cores=Cores.choose(), folder=Path(folder), profile=profile)
            run.rows(names)
        except (VoidError, NotServedError, wrk.WrkFailedError) as failed:
            sys.exit(f"Not measured: {failed}")
        except KeyboardInterrupt:
            sys.exit("Interrupted.")
    run.report.write(output)
    print(*run.report.lines(), f"\n{run.setting}", f"Written to {os.path.relpath(output)}.", sep="\n")


def _leave(number: int, _frame: FrameType | None) -> None:
    """Exit by way of every `finally`, so that no server is left behind."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
