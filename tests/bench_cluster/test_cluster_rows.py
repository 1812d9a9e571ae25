"""Rows of the cluster profile are measured and found sound; nothing is said here about how fast anything is."""

from pathlib import Path

import pytest

from scripts.bench.cluster_rows import CLUSTER_ROWS
from scripts.bench.cores import Cores
from scripts.bench.run import Profile, Run
from scripts.bench.stage import Size

SMALL = Size(pairs=1, seconds=2, crowd=2_000)

ROWS = ("check_waiting_2", "token_issue", "orders_mariadb", "orders_postgresql_2")
"""Each call, each database, one process and several: what is left out differs from these in a number."""


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_measured(tmp_path: Path, name: str) -> None:
    run = Run(size=SMALL, cores=Cores.choose(), folder=tmp_path, profile=Profile(rows=CLUSTER_ROWS))

    run.rows([name])

    assert list(run.report.figures) == [name]
    measured, remarks = run.report.figures[name], run.report.remarks
    told: tuple[str, ...]
    if name.endswith("_2"):
        told = ("rps", "p99_ms", "all_cpu_us", "other_rps", "other_all_cpu_us")
        assert "2 processes" in remarks[name]
        assert "1 process" in remarks[f"{name}-other"]
    else:
        told = ("rps", "p50_ms", "p99_ms", "cpu_us", "engines_cpu_us", "ratio")
        assert "1 process" in remarks[name]
    assert min(measured[figure] for figure in told) > 0
    assert any(line.startswith(f"| {name} |") for line in run.report.lines())


def test_every_call_and_database_is_among_them() -> None:
    measured = [row for row in CLUSTER_ROWS if row.name in ROWS]

    assert {row.call for row in measured} == {row.call for row in CLUSTER_ROWS}
    assert {row.setup.database for row in measured if row.setup} == {
        row.setup.database for row in CLUSTER_ROWS if row.setup
    }
