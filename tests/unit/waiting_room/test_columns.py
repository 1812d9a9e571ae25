import random

import pytest

from stagedoor.waiting_room.columns import BLOCK, FORGOTTEN, PASSED_OVER, WAITING, Columns
from stagedoor.waiting_room.model import PlaceState

BUYERS = range(1, 3 * BLOCK + 100)


@pytest.fixture
def columns() -> Columns:
    columns = Columns()
    for buyer in BUYERS:
        columns.add(buyer, 0, 0)
    return columns


@pytest.mark.parametrize("row", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, len(BUYERS) - 1])
def test_everybody_before_a_row_counts_at_first(columns: Columns, row: int) -> None:
    assert columns.counting_before(row) == row


def test_who_stops_counting_is_left_out_behind_only(columns: Columns) -> None:
    columns.stop_counting(BLOCK)

    assert columns.counting_before(BLOCK) == BLOCK
    assert columns.counting_before(BLOCK + 1) == BLOCK
    assert columns.counting_before(2 * BLOCK) == 2 * BLOCK - 1
    assert columns.counting_total == len(BUYERS) - 1


def test_to_stop_twice_is_to_stop_once(columns: Columns) -> None:
    columns.stop_counting(5)
    columns.stop_counting(5)

    assert columns.counting_before(10) == 9
    assert columns.counting_total == len(BUYERS) - 1


def test_counts_are_those_of_counting_one_by_one(columns: Columns) -> None:
    chance = random.Random(7)
    gone: set[int] = set()
    for buyer in range(10_000, 10_500):
        row = chance.randrange(len(columns))
        columns.stop_counting(row)
        gone.add(row)
        columns.add(buyer, 0, 0)

        asked = chance.randrange(len(columns))
        assert columns.counting_before(asked) == asked - sum(row < asked for row in gone)


def test_stored_places_count_as_stored() -> None:
    columns = Columns(first=50)
    size = BLOCK + 10
    columns.add_stored(
        buyers=range(size),
        states=[WAITING, PASSED_OVER] * (size // 2),
        counting=[1, 0] * (size // 2),
        token_expires_at=[9] * size,
        seen_at=[8] * size,
    )
    columns.count_again()

    assert columns.last_number == 50 + size - 1
    assert columns.counting_total == size // 2
    assert columns.counting_before(size - 2) == size // 2 - 1
    assert list(columns.living())[:2] == [(0, 50), (1, 51)]
    assert list(columns.numbers_counting())[:2] == [50, 52]


def test_a_gap_is_nobody() -> None:
    columns = Columns()
    columns.add(7, 0, 0)
    columns.add_gap(3)
    columns.count_again()
    columns.add(8, 0, 0)

    assert list(columns.states) == [WAITING, FORGOTTEN, FORGOTTEN, FORGOTTEN, WAITING]
    assert list(columns.living()) == [(7, 1), (8, 5)]
    assert columns.counting_before(4) == 1


def test_memory_of_whole_leading_blocks_is_given_back(columns: Columns) -> None:
    for row in range(BLOCK + 5):
        columns.stop_counting(row)
        columns.states[row] = FORGOTTEN

    dropped = columns.drop_forgotten()

    assert dropped == BLOCK
    assert columns.first == BLOCK + 1
    assert columns.buyers[0] == BLOCK + 1
    assert columns.counting_before(5) == 0
    assert columns.counting_before(6) == 1
    assert columns.last_number == len(BUYERS)
    assert columns.states[0] == FORGOTTEN
    assert columns.states[5] == PlaceState.WAITING


def test_nothing_is_dropped_behind_a_known_place(columns: Columns) -> None:
    for row in range(1, 2 * BLOCK):
        columns.states[row] = FORGOTTEN

    assert columns.drop_forgotten() == 0
