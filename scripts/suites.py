"""
Runs the tests, a suite for each folder of tests/, and tells what was not run as plainly as what failed.

A suite may hold a file suite.toml:

    needs = ["wrk", "redis"]  # programs, or engines of scripts/services; where one is missing, the suite is not run
    trial = "strace true"     # a command; where it does not end well, the suite is not run
    parts = 3                 # its files wait more than they work, so they are dealt to so many processes
    alone = true              # it measures time, so nothing may run beside it
    tier = "ci"               # it takes long, so it runs where it is named or the tier is asked for (.ci/run does)
    again = true              # it goes by the wall clock (engines killed, disks filled, servers timed): a part that
                              # fails is run once more, and the table says so; not where it is about who wins a race
"""

import argparse
import asyncio
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree as ET

from scripts.services import ENGINES

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
REPORTS = ROOT / "build" / "test"

CHEAPEST_FIRST = ("architecture", "unit", "contract", "property", "simulation", "integration", "e2e")
AT_ONCE = 3
PART_SECONDS_MAX = 900

QUICK, CI = "quick", "ci"
TIERS = (QUICK, CI)
"""A tier has the suites of all before it. What takes longer still is a proof (scripts/proof.py)."""

ALL_PASSED, SOME_FAILED, NOTHING_COLLECTED = 0, 1, 5
"""Exit statuses of pytest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A folder of tests and what it asks of the machine."""

    name: str
    needs: Sequence[str] = ()
    trial: str = ""
    parts: int = 1
    alone: bool = False
    tier: str = QUICK
    again: bool = False

    def files(self) -> list[str]:
        """Return the paths of its test files."""
        return sorted(str(path.relative_to(ROOT)) for path in (TESTS / self.name).rglob("test_*.py"))

    def missing(self) -> list[str]:
        """Return what it needs, and of an engine what that needs, that is not on this machine."""
        lacks = (
            ENGINES[need].missing() if need in ENGINES else "" if shutil.which(need) else need for need in self.needs
        )
        return [lack for lack in lacks if lack]

    def why_not(self, *, tier: str, named: bool) -> str:
        """Say why it is not to be run in *tier*, or nothing where it is; a *named* suite belongs to any tier."""
        if not named and TIERS.index(self.tier) > TIERS.index(tier):
            return f"takes long, .ci/run runs it (make test TIER={self.tier})"
        if missing := self.missing():
            return f"needs {' and '.join(missing)}, which this machine does not have"
        if self.trial and not works(self.trial):
            return f"needs `{self.trial}` to work, which this machine does not let it"
        return ""


def works(command: str) -> bool:
    """Tell whether *command* ends well."""
    tried = subprocess.run(shlex.split(command), stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)
    return tried.returncode == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one suite; *remark* says why when it was not run or broke as a whole."""

    suite: str
    passed: int = 0
    failed: int = 0
    skips: Counter[str]
    seconds: float = 0.0
    was_run: bool = True
    remark: str = ""

    @property
    def skipped(self) -> int:
        """How many tests were skipped."""
        return self.skips.total()


def main() -> None:
    """Run the suites asked for, print the table, and exit 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description="Run the tests by suites.")
    parser.add_argument("--strict", action="store_true", help="let nothing be skipped or left out")
    parser.add_argument("--tier", choices=TIERS, default=QUICK, help="how long it may take (default: %(default)s)")
    parser.add_argument("names", nargs="*", metavar="SUITE", help="folders of tests/; all of them if none is named")
    arguments = parser.parse_args()
    suites = chosen(arguments.names)
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    try:
        outcomes = asyncio.run(run_all(suites, tier=arguments.tier, named=bool(arguments.names)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("Interrupted.")
    left_out = any(outcome.skips or not outcome.was_run for outcome in outcomes)
    print_table(outcomes)
    if arguments.strict and left_out:
        print("\nNothing may be skipped or left out here (--strict), so this counts as a failure.")
    failed = sum(outcome.failed for outcome in outcomes)
    skipped = sum(outcome.skipped for outcome in outcomes)
    print(f"\n{sum(outcome.passed for outcome in outcomes)} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(1 if failed or (arguments.strict and left_out) else 0)


def chosen(names: Sequence[str]) -> list[Suite]:
    """Return the suites called *names*, or all, the cheap ones first."""
    known = {folder.name for folder in TESTS.glob("*/") if any(folder.rglob("test_*.py"))}
    if unknown := sorted(set(names) - known):
        sys.exit(f"There is no suite {', '.join(unknown)}: there are {', '.join(sorted(known))}.")
    if not known:
        sys.exit("There are no tests in tests/*/test_*.py.")

    def cost(name: str) -> tuple[int, str]:
        return (CHEAPEST_FIRST.index(name) if name in CHEAPEST_FIRST else len(CHEAPEST_FIRST), name)

    return [described(name) for name in sorted(set(names) or known, key=cost)]


def described(name: str) -> Suite:
    """Read what suite *name* says of itself in its suite.toml, if it has one."""
    description = TESTS / name / "suite.toml"
    said = tomllib.loads(description.read_text(encoding="utf-8")) if description.exists() else {}
    try:
        suite = Suite(name=name, **said)
    except TypeError as unknown:
        sys.exit(f"{description} says something that means nothing: {unknown}.")
    if suite.tier not in TIERS:
        sys.exit(f"{description} names the tier {suite.tier!r}: there are {' and '.join(TIERS)}.")
    return suite


async def run_all(suites: Sequence[Suite], *, tier: str, named: bool) -> list[Outcome]:
    """Run those of *suites* that may be run, a few at once but for those that have to be alone; keep the order."""
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    places = asyncio.Semaphore(AT_ONCE)
    outcomes: dict[str, Outcome] = {}

    async def run_one(suite: Suite) -> None:
        if why_not := suite.why_not(tier=tier, named=named):
            outcomes[suite.name] = Outcome(suite=suite.name, skips=Counter(), was_run=False, remark=why_not)
        else:
            outcomes[suite.name] = await run(suite, places)

    async with asyncio.TaskGroup() as group:
        for suite in reversed(suites):  # the longest first, so that no one is left waiting for it at the end
            if not suite.alone:
                group.create_task(run_one(suite))
    for suite in suites:
        if suite.alone:
            await run_one(suite)
    return [outcomes[suite.name] for suite in suites]


async def run(suite: Suite, places: asyncio.Semaphore) -> Outcome:
    """Run all parts of one suite, each as soon as it gets one of the *places*."""
    files = suite.files()
    async with asyncio.TaskGroup() as group:
        parts = [
            group.create_task(run_part(suite, part, files[part :: suite.parts], places))
            for part in range(min(suite.parts, len(files)))
        ]
    outcomes = [part.result() for part in parts]
    return Outcome(
        suite=suite.name,
        passed=sum(outcome.passed for outcome in outcomes),
        failed=sum(outcome.failed for outcome in outcomes),
        skips=sum((outcome.skips for outcome in outcomes), Counter()),
        seconds=sum(outcome.seconds for outcome in outcomes),
        remark="; ".join(outcome.remark for outcome in outcomes if outcome.remark),
    )


async def run_part(suite: Suite, part: int, files: Sequence[str], places: asyncio.Semaphore) -> Outcome:
    """
    Run some files of a suite in a pytest of their own, and print its output if anything failed.

    Where the suite is one to be run again, what failed once and passes then is said in the table.
    """
    outcome = await run_once(suite.name, f"{suite.name}-{part}", files, places)
    if outcome.failed and suite.again:
        before = outcome
        outcome = await run_once(suite.name, f"{suite.name}-{part}-again", files, places)
        if not outcome.failed:
            outcome = replace(outcome, remark=f"{before.failed} failed at first, and passed when run again")
    return outcome


async def run_once(suite: str, name: str, files: Sequence[str], places: asyncio.Semaphore) -> Outcome:
    """Run *files* of a suite; what comes of it is kept under *name*."""
    report, log = REPORTS / f"{name}.xml", REPORTS / f"{name}.log"
    async with places:
        started = time.monotonic()
        status = await pytest(files, report=report, log=log)
        outcome = read(suite, report, status=status, seconds=time.monotonic() - started)
    if outcome.failed:
        print(log.read_text(encoding="utf-8", errors="replace"))
    verdict = outcome.remark or ("failed" if outcome.failed else "passed")
    print(f"{suite} ({len(files)} files): {verdict} in {outcome.seconds:.1f} s", flush=True)
    return outcome


async def pytest(files: Sequence[str], *, report: Path, log: Path) -> int | None:
    """Run pytest on *files*, and end whatever it leaves behind; return its exit status, or None if it took too long."""
    command = [sys.executable, "-m", "pytest", f"--junit-xml={report}", "-p", "no:cacheprovider", *files]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("STAGEDOOR_") and name != "PYTEST_ADDOPTS"
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            async with asyncio.timeout(PART_SECONDS_MAX):
                return await process.wait()
        except TimeoutError:
            return None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def read(name: str, report: Path, *, status: int | None, seconds: float) -> Outcome:
    """Read pytest's own *report*; a run that ended badly is a failure, whether or not that is there and names one."""
    cases = [*ET.parse(report).iter("testcase")] if report.exists() else []  # noqa: S314 -- pytest wrote it just now
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    skips = Counter(
        skip.get("message", "no reason given") for case in cases if (skip := case.find("skipped")) is not None
    )
    remark = {
        None: f"stopped after {PART_SECONDS_MAX} s",
        ALL_PASSED: "",
        SOME_FAILED: "",
        NOTHING_COLLECTED: "no test was found",
    }.get(status, f"pytest ended with status {status}")
    return Outcome(
        suite=name,
        passed=len(cases) - failed - skips.total(),
        failed=failed if status == ALL_PASSED else max(failed, 1),
        skips=skips,
        seconds=seconds,
        remark=remark,
    )


def print_table(outcomes: Iterable[Outcome]) -> None:
    """Print a row for each suite, then each reason for not running something."""
    print(f"\n{'suite':14}{'passed':>8}{'failed':>8}{'skipped':>9}{'time':>10}")
    for outcome in outcomes:
        if outcome.was_run:
            figures = f"{outcome.passed:8}{outcome.failed:8}{outcome.skipped:9}{outcome.seconds:8.1f} s"
            print(f"{outcome.suite:14}{figures}  {outcome.remark}".rstrip())
        else:
            print(f"{outcome.suite:14}  not run: {outcome.remark}")
    for outcome in outcomes:
        for reason, count in sorted(outcome.skips.items()):
            print(f"  {outcome.suite}: {count} skipped: {reason}")


if __name__ == "__main__":
    main()
