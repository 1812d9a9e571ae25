"""What is kept of a proof, and what counts as holding."""

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from scripts.bench.goals import Goal
from scripts.proof import Run, chosen, keep, known_proofs, page, split

A_RUN = Run(
    name="order",
    command="make proof ONLY=order",
    commit="0123456789ab",
    started_at=dt.datetime(2026, 11, 28, 20, 0, tzinfo=dt.UTC),
    seconds=61.4,
    machine="2 x a processor",
    findings="Nobody was overtaken.\n",
    status=0,
)


def test_a_page_says_how_to_run_the_proof_again() -> None:
    assert page(A_RUN).splitlines() == [
        "# Evidence: order",
        "",
        "| | |",
        "|---|---|",
        "| command | `make proof ONLY=order` |",
        "| commit | 0123456789ab |",
        "| date | 2026-11-28 20:00 UTC |",
        "| machine | 2 x a processor |",
        "| duration | 61 s |",
        "| verdict | holds |",
        "",
        "Nobody was overtaken.",
    ]


def test_a_page_that_measures_says_how_many_goals_were_missed() -> None:
    goal = Goal(text="0.60", reached=lambda figures, _: figures["ratio"] >= 0.60)
    rows = [f"| check | {goal.verdict({'ratio': ratio}, {})} |" for ratio in (0.55, 0.65)]
    slow = dataclasses.replace(A_RUN, findings="\n".join(rows))

    assert "| verdict | the figures are sound, goals missed: 1 |" in page(slow)


def test_a_proof_that_holds_is_evidence(tmp_path: Path) -> None:
    assert keep(A_RUN, reports=tmp_path / "reports", evidence=tmp_path / "evidence")

    assert (tmp_path / "evidence" / "order.md").read_text(encoding="utf-8") == page(A_RUN)


@pytest.mark.parametrize("broken", [dataclasses.replace(A_RUN, status=1), dataclasses.replace(A_RUN, findings="\n")])
def test_one_that_does_not_hold_leaves_a_report_only(tmp_path: Path, broken: Run) -> None:
    assert not keep(broken, reports=tmp_path / "reports", evidence=tmp_path / "evidence")

    assert "does not hold" in (tmp_path / "reports" / "order.md").read_text(encoding="utf-8")
    assert not (tmp_path / "evidence").exists()


def test_helpers_of_proofs_are_no_proofs(tmp_path: Path) -> None:
    for name in ("order.py", "kill.py", "__init__.py", "_tables.py"):
        (tmp_path / name).touch()

    assert known_proofs(tmp_path) == ["kill", "order"]


def test_all_are_run_where_none_is_named() -> None:
    assert chosen([], known=["kill", "order"]) == ["kill", "order"]
    assert chosen(["order"], known=["kill", "order"]) == ["order"]
    with pytest.raises(SystemExit):
        chosen(["odrer"], known=["kill", "order"])


def test_what_follows_two_dashes_is_for_the_proof() -> None:
    assert split(["order", "--", "--seconds", "60"]) == (["order"], ["--seconds", "60"])
    assert split(["order"]) == (["order"], [])
