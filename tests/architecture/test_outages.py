"""The page about outages has a row for every cell of both matrices, and no cell of it is empty."""

from collections.abc import Sequence

import pytest

from tests.outage import matrix
from tests.outage.page import PAGE, Section, holes
from tests.outage_cluster import cells, table

MATRICES = [
    pytest.param(matrix.SECTION, [[kind.value, stage.value] for kind, stage in matrix.CELLS], id="file"),
    pytest.param(table.SECTION, [table.keys_of(cell) for cell in cells.CELLS], id="cluster"),
]


@pytest.mark.parametrize(("section", "keys"), MATRICES)
def test_every_cell_is_told_of(section: Section, keys: Sequence[Sequence[str]]) -> None:
    rows = section.rows_in(PAGE.read_text(encoding="utf-8"))

    assert [list(row[: len(keys[0])]) for row in rows] == [list(key) for key in keys]
    assert {len(row) for row in rows} == {len(section.columns)}
    assert holes(rows) == []


@pytest.mark.parametrize(("section", "keys"), MATRICES)
def test_an_empty_cell_and_a_row_that_is_missing_are_found(section: Section, keys: Sequence[Sequence[str]]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    first, *rest = section.rows_in(page)

    emptied = section.rows_in(section.put_into(page, [[*first[:-1], ""], *rest]))
    shortened = section.rows_in(section.put_into(page, rest))

    assert holes(emptied) == [[*first[:-1], ""]]
    assert len(shortened) == len(keys) - 1


@pytest.mark.parametrize("dependency", cells.Dependency)
@pytest.mark.parametrize("kind", cells.Kind)
def test_every_dependency_fails_in_every_way(dependency: cells.Dependency, kind: cells.Kind) -> None:
    stages = {cell.stage for cell in cells.CELLS if (cell.dependency, cell.kind) == (dependency, kind)}

    assert stages == set(cells.Stage) if dependency.is_database else stages
