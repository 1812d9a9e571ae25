"""
Sells on the cluster profile while its dependencies fail one after another; writes build/chaos and exits 1 if it lied.

    python -m tests.chaos [--database mariadb] [--script FILE] [--seconds N] [--seed N] [--into FOLDER] [--page]
"""

import argparse
import asyncio
import datetime as dt
import signal
import sys
import tempfile
from pathlib import Path

from scripts.proof import commit_here
from scripts.services.server import Missing
from tests.chaos import page
from tests.chaos.crowd import Rates
from tests.chaos.house import DATABASES, a_house
from tests.chaos.picture import picture
from tests.chaos.plan import DEFAULT, BadScriptError, Script
from tests.chaos.report import outages_table, report, verdict_lines
from tests.chaos.sale import Sale, a_sale
from tests.chaos.timeline import Timeline
from tests.e2e.harness.server import ROOT

INTO = ROOT / "build" / "chaos"
TERMINATED = 128 + signal.SIGTERM
TITLE = "An on-sale while its dependencies fail"
NAMES = {"mariadb": "MariaDB", "postgres": "PostgreSQL"}


def main() -> None:
    """Play the script, write the picture and the table, and say what came of it."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__.strip().splitlines()[0])
    parser.add_argument("--database", choices=DATABASES, default="mariadb", help="default: %(default)s")
    parser.add_argument("--script", type=Path, default=DEFAULT, help="default: tests/chaos/default.yaml")
    parser.add_argument("--seconds", type=float, help="shorten the script, or stretch it, to so many")
    parser.add_argument("--seed", type=int, default=1, help="of what buyers do (default: %(default)s)")
    parser.add_argument("--into", type=Path, default=INTO, help="where timeline.svg and timeline.md go")
    parser.add_argument("--page", action="store_true", help="keep it in docs/chaos.svg and docs/reference/chaos.md too")
    asked = parser.parse_args()
    # Whoever ends it early must not leave engines behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        script = Script.read(asked.script)
        if asked.seconds:
            script = script.lasting(asked.seconds)
        sale = played(script, database=asked.database, seed=asked.seed)
    except (BadScriptError, Missing) as error:
        sys.exit(str(error))
    below = f"{command(asked)}, commit {commit_here()}, {dt.datetime.now(dt.UTC):%Y-%m-%d}"
    below = f"{below}; two servers, {NAMES[asked.database]}, Redis, Kafka, a relay, a consumer"
    keep(sale, asked.into, below=below)
    if asked.page and page.is_worth_keeping(sale.verdict):
        keep_in_docs(sale, NAMES[asked.database], below=below)
    sys.exit(1 if sale.verdict.wrong else 0)


def played(script: Script, *, database: str, seed: int, rates: Rates | None = None) -> Sale:
    """Open a house, and sell in it while *script* is played."""
    say("Starting two servers, a relay and a consumer, their engines, and a proxy before each of these ...")
    with (
        tempfile.TemporaryDirectory(prefix="stagedoor-chaos-") as folder,
        a_house(Path(folder), database=database) as it,
    ):
        say(f"The sale is open for {script.seconds:g} s.")
        return asyncio.run(a_sale(it, script, seed=seed, rates=rates or Rates(), say=say))


def keep(sale: Sale, into: Path, *, below: str) -> None:
    """Write the picture and the table into the folder *into*, and print what matters of them."""
    timeline = Timeline.of(sale)
    into.mkdir(parents=True, exist_ok=True)
    (into / "timeline.svg").write_text(picture(timeline, title=TITLE, below=below), encoding="utf-8")
    told = report(timeline, sale.verdict, title=TITLE, below=below)
    (into / "timeline.md").write_text(told, encoding="utf-8")
    say(f"\n{outages_table(timeline.consequences)}\n\n{verdict_lines(sale.verdict)}\n")
    say(f"Written: {into / 'timeline.svg'} and timeline.md")


def keep_in_docs(sale: Sale, database: str, *, below: str) -> None:
    """Show the sale on the page in the docs."""
    timeline = Timeline.of(sale)
    drawn = picture(timeline, title=TITLE, below=below)
    page.write(database, drawn, page.section(database, timeline, sale.verdict, below=below))
    say(f"Written: {page.PAGE}")


def command(asked: argparse.Namespace) -> str:
    """Return what would play the same again."""
    words = ["make chaos"]
    if asked.database != "mariadb":
        words.append(f"DATABASE={asked.database}")
    if asked.script != DEFAULT:
        words.append(f"SCRIPT={asked.script}")
    if asked.seconds:
        words.append(f"SECONDS={asked.seconds:g}")
    if asked.seed != 1:
        words.append(f"SEED={asked.seed}")
    return " ".join(words)


def say(sentence: str) -> None:
    """Tell whoever waits."""
    print(sentence, flush=True)  # noqa: T201 -- to a person in a terminal


if __name__ == "__main__":
    main()
