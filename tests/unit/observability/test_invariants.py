"""The line's checks find what they are there for."""

import pytest

from stagedoor.kernel.clock import Instant, later
from stagedoor.kernel.ids import MAIN_ROOM, QueueNumber, RoomId
from stagedoor.observability.invariants import (
    SHOWN_MAX,
    PassRow,
    check_admission_order,
    check_overlap,
    check_rate,
    check_skipped,
    finding,
)

NOON = Instant(1_800_000_000_000)


def a_pass(  # noqa: PLR0913 -- a builder takes whatever a test may care about
    sequence: int,
    *,
    at_ms: int = 0,
    ended_ms: int | None = None,
    number: int | None = None,
    returner: bool = False,
    room_id: str = "main",
    max_active: int = 2,
    rate: float | None = None,
) -> PassRow:
    return PassRow(
        sequence=sequence,
        room_id=RoomId(room_id),
        number=QueueNumber(sequence if number is None else number),
        returner=returner,
        admitted_at=later(NOON, at_ms),
        ended_at=None if ended_ms is None else later(NOON, ended_ms),
        max_active=max_active,
        rate=rate,
    )


class TestOverlap:
    def test_as_many_as_allowed(self) -> None:
        found = check_overlap([a_pass(1), a_pass(2), a_pass(3, room_id="vip")])

        assert (found.holds, found.checked) == (True, 3)

    def test_one_too_many(self) -> None:
        found = check_overlap([a_pass(1, ended_ms=1_000), a_pass(2), a_pass(3, at_ms=999)])

        assert found.violations == ("room main: 3 inside with number 3, of 2",)

    def test_a_pass_that_ends_makes_room_at_that_instant(self) -> None:
        assert check_overlap([a_pass(1, ended_ms=1_000), a_pass(2), a_pass(3, at_ms=1_000)]).holds

    def test_a_lowered_maximum_throws_nobody_out(self) -> None:
        assert check_overlap([a_pass(1), a_pass(2, ended_ms=5), a_pass(3, at_ms=5, max_active=2)]).holds
        assert not check_overlap([a_pass(1), a_pass(2), a_pass(3, at_ms=5, max_active=1)]).holds

    def test_only_an_admission_from_which_on_no_pass_is_missing_is_judged(self) -> None:
        passes = [a_pass(1), a_pass(2), a_pass(3, at_ms=5), a_pass(4, at_ms=9)]

        early = check_overlap(passes[:3], whole_since=later(NOON, 6))
        late = check_overlap(passes, whole_since=later(NOON, 6))

        assert (early.holds, early.checked) == (True, 0)
        assert late.violations == ("room main: 4 inside with number 4, of 2",)
        assert late.checked == 1


class TestOrder:
    def test_strictly_by_number(self) -> None:
        assert check_admission_order([a_pass(1), a_pass(2, number=5), a_pass(3, number=9)]).holds

    def test_an_inversion(self) -> None:
        assert not check_admission_order([a_pass(1, number=5), a_pass(2, number=4)]).holds

    def test_the_same_number_twice(self) -> None:
        assert not check_admission_order([a_pass(1, number=5), a_pass(2, number=5)]).holds

    def test_a_returner_goes_before_the_line(self) -> None:
        assert check_admission_order([a_pass(1, number=5), a_pass(2, number=3, returner=True)]).holds


class TestSkipped:
    def test_who_waits_is_behind_who_went_in(self) -> None:
        passes = [a_pass(1, number=3)]

        assert check_skipped({MAIN_ROOM: [QueueNumber(4)]}, passes, {}).holds
        assert not check_skipped({MAIN_ROOM: [QueueNumber(2)]}, passes, {}).holds

    def test_who_went_in_may_be_forgotten_since(self) -> None:
        serving = {MAIN_ROOM: QueueNumber(3)}

        assert check_skipped({MAIN_ROOM: [QueueNumber(4)]}, [], serving).holds
        assert not check_skipped({MAIN_ROOM: [QueueNumber(2)]}, [a_pass(1, number=1)], serving).holds

    def test_a_room_that_let_nobody_in_skipped_nobody(self) -> None:
        assert check_skipped({RoomId("vip"): [QueueNumber(1)]}, [a_pass(1, number=3)], {}).holds


class TestRate:
    @pytest.mark.parametrize(
        ("rate", "at_ms"),
        [
            (1.0, [0, 1, 1_001, 2_001]),
            (4.0, [0, 1, 251, 501]),
            (0.5, [0, 1, 2_001, 4_001]),
            (8.0, [0, 0, 1, 126]),
        ],
    )
    def test_within(self, rate: float, at_ms: list[int]) -> None:
        assert check_rate([a_pass(n, at_ms=at, rate=rate) for n, at in enumerate(at_ms)]).holds

    @pytest.mark.parametrize(
        ("rate", "at_ms"),
        [(1.0, [0, 0]), (1.0, [0, 500, 1_000]), (0.5, [0, 1, 2_000]), (8.0, [0, 0, 0])],
    )
    def test_beyond(self, rate: float, at_ms: list[int]) -> None:
        assert not check_rate([a_pass(n, at_ms=at, rate=rate) for n, at in enumerate(at_ms)]).holds

    def test_two_stretches_with_something_forgotten_in_between_are_not_taken_for_one(self) -> None:
        passes = [a_pass(n, at_ms=at, rate=1.0) for n, at in enumerate([0, 100, 200])]

        found = check_rate(passes, whole_since=later(NOON, 200))

        assert (found.holds, found.checked) == (True, 1)
        assert not check_rate(passes, whole_since=NOON).holds

    @pytest.mark.parametrize("rate", [0.3, 1.0, 2.5, 7.0])
    def test_it_agrees_with_the_sentence_looked_at_window_by_window(self, rate: float) -> None:
        # Admissions 130 to 400 ms apart: some rates allow them, some do not.
        instants = [sum(130 + (step * 97) % 270 for step in range(count)) for count in range(12)]
        tenths = round(rate * 10)

        def allowed(count: int, span_ms: int) -> bool:
            return count <= -(-tenths * span_ms // 10_000) + -(-tenths // 40)

        expected = all(
            allowed(last - first + 1, instants[last] - instants[first])
            for first in range(len(instants))
            for last in range(first, len(instants))
        )

        assert check_rate([a_pass(n, at_ms=at, rate=rate) for n, at in enumerate(instants)]).holds is expected

    def test_no_rate_no_bound(self) -> None:
        found = check_rate([a_pass(1), a_pass(2), a_pass(3)])

        assert (found.holds, found.checked) == (True, 0)


def test_all_are_counted_and_some_are_told() -> None:
    found = finding("x", "Nothing is wrong.", checked=99, violations=(str(number) for number in range(99)))

    assert (found.violation_count, len(found.violations)) == (99, SHOWN_MAX)
