"""A bulkhead: so many in, so many before it, in order; property: against a list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.kernel.errors import Overloaded
from stagedoor.resilience.bulkhead import Bulkhead, BulkheadFull


def test_so_many_are_in_and_the_next_ones_wait_in_order() -> None:
    bulkhead = Bulkhead[str]("database", at_once=2, waiting_max=2)

    assert [bulkhead.enter(visitor) for visitor in "abcd"] == [True, True, False, False]
    assert (bulkhead.inside, bulkhead.waiting) == (2, 2)
    assert [bulkhead.leave() for _ in range(4)] == ["c", "d", None, None]
    assert (bulkhead.inside, bulkhead.waiting) == (0, 0)


def test_nobody_waits_beyond_that() -> None:
    bulkhead = Bulkhead[str]("database", at_once=1, waiting_max=1)
    for visitor in "ab":
        bulkhead.enter(visitor)

    with pytest.raises(BulkheadFull, match="database") as refused:
        bulkhead.enter("c")

    assert isinstance(refused.value, Overloaded)


def test_who_gives_up_leaves_her_place_to_the_next() -> None:
    bulkhead = Bulkhead[str]("database", at_once=1, waiting_max=2)
    for visitor in "abc":
        bulkhead.enter(visitor)

    bulkhead.give_up("b")
    bulkhead.give_up("a")  # she is in, and does not wait

    assert bulkhead.leave() == "c"


@given(
    at_once=st.integers(1, 3),
    waiting_max=st.integers(0, 3),
    moves=st.lists(st.tuples(st.sampled_from(["enter", "leave", "give up"]), st.integers(0, 9))),
)
def test_it_behaves_as_two_lists_do(at_once: int, waiting_max: int, moves: list[tuple[str, int]]) -> None:
    bulkhead = Bulkhead[int]("any", at_once=at_once, waiting_max=waiting_max)
    inside: list[int] = []
    waiting: list[int] = []
    for number, (move, which) in enumerate(moves):
        if move == "enter" and len(inside) < at_once:
            assert bulkhead.enter(number)
            inside.append(number)
        elif move == "enter" and len(waiting) < waiting_max:
            assert not bulkhead.enter(number)
            waiting.append(number)
        elif move == "enter":
            with pytest.raises(BulkheadFull):
                bulkhead.enter(number)
        elif move == "leave" and inside:
            inside.pop(which % len(inside))
            expected = waiting.pop(0) if waiting else None
            assert bulkhead.leave() == expected
            if expected is not None:
                inside.append(expected)
        elif move == "give up" and waiting:
            bulkhead.give_up(waiting.pop(which % len(waiting)))
        assert (bulkhead.inside, bulkhead.waiting) == (len(inside), len(waiting))
        assert len(inside) == at_once or not waiting
