"""After the start the collector has nothing to do with what the start has made."""

import gc
from collections.abc import Iterator

import pytest

from stagedoor.bootstrap.serving import OLDER_GENERATIONS, YOUNG_OBJECTS, collect_less


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Give this process its own collector back."""
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def is_searched(made: object) -> bool:
    return any(each is made for each in gc.get_objects())


def test_what_the_start_has_made_is_left_out_of_every_search() -> None:
    made: list[object] = [[]]
    was_searched = is_searched(made)

    collect_less()

    later: list[object] = [[]]
    assert was_searched
    assert not is_searched(made)
    assert is_searched(later)


def test_what_the_start_has_thrown_away_is_not_kept_with_it() -> None:
    class Cycle:
        made = 0

        def __init__(self) -> None:
            self.itself = self
            Cycle.made += 1

        def __del__(self) -> None:
            Cycle.made -= 1

    Cycle()

    collect_less()

    assert Cycle.made == 0


def test_the_others_are_searched_seldom() -> None:
    collect_less()

    assert gc.get_threshold() == (YOUNG_OBJECTS, *OLDER_GENERATIONS)
