"""What the test runner makes of what pytest reports."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from scripts import suites
from scripts.services import ENGINES, Redis, Server
from scripts.suites import CI, QUICK, Outcome, Suite, described, print_table, read

CASES = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest">
  <testcase name="passed"/>
  <testcase name="passed_and_told"><properties><property name="us" value="1"/></properties></testcase>
  <testcase name="failed"><failure message="no">assert False</failure></testcase>
  <testcase name="failed_twice"><failure message="no">assert False</failure><error message="no">end</error></testcase>
  <testcase name="skipped"><skipped type="pytest.skip" message="needs wrk">here</skipped></testcase>
</testsuite></testsuites>
"""


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "unit.xml"
    path.write_text(CASES, encoding="utf-8")
    return path


def test_each_test_counts_once(report: Path) -> None:
    outcome = read("unit", report, status=1, seconds=1.0)

    assert (outcome.passed, outcome.failed, outcome.skipped) == (2, 2, 1)
    assert outcome.skips == {"needs wrk": 1}


@pytest.mark.parametrize(
    ("status", "remark"),
    [
        (5, "no test was found"),
        (3, "pytest ended with status 3"),
        (-9, "pytest ended with status -9"),
        (None, "stopped after 900 s"),
    ],
)
def test_a_run_that_broke_without_a_report_is_a_failure(tmp_path: Path, status: int | None, remark: str) -> None:
    outcome = read("unit", tmp_path / "none.xml", status=status, seconds=1.0)

    assert outcome == Outcome(suite="unit", failed=1, skips=Counter(), seconds=1.0, remark=remark)


def test_a_run_that_did_not_end_well_is_a_failure_whatever_its_report_says(tmp_path: Path) -> None:
    report = tmp_path / "unit.xml"
    report.write_text('<testsuites><testsuite><testcase name="passed"/></testsuite></testsuites>', encoding="utf-8")

    outcome = read("unit", report, status=1, seconds=1.0)

    assert (outcome.passed, outcome.failed) == (1, 1)


def test_a_suite_knows_which_programs_are_missing() -> None:
    suite = Suite(name="integration", needs=("sh", "no-such-program"))

    assert suite.missing() == ["no-such-program"]


def test_a_suite_knows_what_an_engine_that_it_needs_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "redis", without("redis-server"))
    monkeypatch.setitem(ENGINES, "mariadb", without(""))

    assert Suite(name="races", needs=("redis", "sh", "mariadb")).missing() == ["redis-server"]


def without(program: str) -> type[Server]:
    class Engine(Redis):
        @classmethod
        def missing(cls) -> str:
            return program

    return Engine


@pytest.mark.parametrize(("trial", "why_not"), [("true", ""), ("false", "needs `false` to work")])
def test_a_suite_is_run_where_its_trial_ends_well(trial: str, why_not: str) -> None:
    suite = Suite(name="durability", trial=trial)

    assert suite.why_not(tier=QUICK, named=True).startswith(why_not)
    assert bool(suite.why_not(tier=QUICK, named=True)) == bool(why_not)


def test_the_table_says_what_was_not_run_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(
        [
            Outcome(suite="unit", passed=7, skips=Counter({"needs wrk": 2}), seconds=1.5),
            Outcome(suite="integration", skips=Counter(), was_run=False, remark="needs redis-server"),
        ]
    )

    assert capsys.readouterr().out.splitlines() == [
        "",
        "suite           passed  failed  skipped      time",
        "unit                 7       0        2     1.5 s",
        "integration     not run: needs redis-server",
        "  unit: 2 skipped: needs wrk",
    ]


@pytest.mark.parametrize(
    ("suite_tier", "tier", "named", "runs"),
    [
        (QUICK, QUICK, False, True),
        (QUICK, CI, False, True),
        (CI, CI, False, True),
        (CI, QUICK, True, True),
        (CI, QUICK, False, False),
    ],
)
def test_a_long_suite_runs_in_its_tier_or_by_its_name(suite_tier: str, tier: str, *, named: bool, runs: bool) -> None:
    suite = Suite(name="hours", tier=suite_tier)

    assert (suite.why_not(tier=tier, named=named) == "") == runs


async def test_what_is_left_to_ci_is_told_and_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    (outcome,) = await suites.run_all([Suite(name="hours", tier=CI)], tier=QUICK, named=False)

    print_table([outcome])
    assert "hours           not run: takes long, .ci/run runs it (make test TIER=ci)" in capsys.readouterr().out
    assert (outcome.was_run, outcome.failed) == (False, 0)


async def test_a_suite_without_its_programs_is_not_run() -> None:
    (outcome,) = await suites.run_all([Suite(name="disk", needs=["no-such-program"])], tier=CI, named=True)

    assert outcome.remark == "needs no-such-program, which this machine does not have"
    assert not outcome.was_run


@pytest.mark.parametrize("said", ['tier = "nightly"', "colour = 1"])
def test_a_suite_that_says_nonsense_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr(suites, "TESTS", tmp_path)
    (tmp_path / "hours").mkdir()
    (tmp_path / "hours" / "suite.toml").write_text(said, encoding="utf-8")

    with pytest.raises(SystemExit):
        described("hours")


@pytest.mark.parametrize(("again", "failed"), [(True, 0), (False, 1)])
async def test_only_where_a_suite_says_so_is_it_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, again: bool, failed: int
) -> None:
    marker = tmp_path / "was-here"
    story = tmp_path / "test_story.py"
    story.write_text(
        f"from pathlib import Path\n\n\ndef test_it():\n    marker = Path({str(marker)!r})\n"
        "    was_here = marker.exists()\n    marker.touch()\n    assert was_here\n"
    )
    monkeypatch.setattr(suites, "REPORTS", tmp_path)

    outcome = await suites.run_part(Suite(name="story", again=again), 0, [str(story)], asyncio.Semaphore(1))

    assert outcome.failed == failed
    assert ("run again" in outcome.remark) is again
    assert "1 failed" in capsys.readouterr().out
