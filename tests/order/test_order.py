"""Five thousand buyers, of whom many leave or come back late: nobody present is overtaken, and the limits hold."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.order.crowd import Plan, run
from tests.order.judge import Verdict, judge, largest_overlap
from tests.order.mutants import CAUGHT_BY, MUTANTS

SMALL = Plan(buyers=250, max_active=10, rate=12.5, coming_s=20.0, latest_s=90.0)


def test_five_thousand_are_let_in_in_order(tmp_path: Path) -> None:
    plan = Plan()

    record = run(plan, tmp_path)

    assert [verdict for verdict in judge(record) if verdict.violations] == []
    # The evening was one in which all of that could have gone wrong.
    admitted = {entry.number for entry in record.passes}
    left = sum(fan.left_at is not None and fan.number not in admitted for fan in record.fans)
    assert left >= 0.29 * plan.buyers
    assert sum(fan.absences > 0 for fan in record.fans) == 0.2 * plan.buyers
    assert sum(entry.returner for entry in record.passes) > 100
    assert largest_overlap(record) == plan.max_active
    assert left + len(admitted) == plan.buyers


@pytest.mark.parametrize("mutant", MUTANTS)
def test_control_a_line_without_the_promise_is_found_out(tmp_path: Path, mutant: str) -> None:
    with MUTANTS[mutant]():
        record = run(SMALL, tmp_path)

    assert CAUGHT_BY[mutant] in broken(judge(record))


def test_control_a_faster_door_than_allowed_is_found_out(tmp_path: Path) -> None:
    record = run(SMALL, tmp_path)

    assert broken(judge(record)) == []
    assert len(broken(judge(replace(record, limits=replace(record.limits, rate=SMALL.rate * 0.8))))) == 1


def broken(verdicts: list[Verdict]) -> list[str]:
    """Name the promises that were not kept."""
    return [verdict.promise for verdict in verdicts if verdict.violations]
