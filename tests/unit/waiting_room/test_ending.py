import pytest

from stagedoor.waiting_room.model import EndCause, PlaceState, Standing
from tests.builders.line import PaperLine, a_ref, a_room


@pytest.fixture
def line() -> PaperLine:
    line = PaperLine(a_room(max_active=1))
    line.join(7, 8)
    line.admitted()
    return line


@pytest.mark.parametrize(("cause", "state"), [(EndCause.LEFT, PlaceState.EXPIRED), (EndCause.PAID, PlaceState.DONE)])
def test_a_place_ends_in_the_state_of_its_cause(line: PaperLine, cause: EndCause, state: PlaceState) -> None:
    assert line.end(1, cause) is True
    assert line.end(2, cause) is False

    assert [line.state_of(1), line.state_of(2)] == [state, state]
    assert [line.look(1).position, line.look(2).position] == [0, 0]
    assert line.look(1).standing is Standing.OVER


def test_ending_twice_changes_nothing(line: PaperLine) -> None:
    line.end(1, EndCause.PAID)

    assert line.end(1, EndCause.LEFT) is False
    assert line.state_of(1) is PlaceState.DONE


def test_a_place_that_ended_otherwise_is_not_paid_afterwards(line: PaperLine) -> None:
    line.end(1, EndCause.LEFT)

    assert line.end(1, EndCause.PAID) is False
    assert line.state_of(1) is PlaceState.EXPIRED


def test_twice_in_one_batch_is_once(line: PaperLine) -> None:
    plan = line.line.plan_ends(line.clock.now())

    assert [plan.end(1, EndCause.PAID), plan.end(1, EndCause.LEFT)] == [True, False]
    line.line.apply(plan.change())

    assert line.state_of(1) is PlaceState.DONE


@pytest.mark.parametrize("number", [-1, 0, 3, 10**9])
def test_an_unknown_number_is_not_known(line: PaperLine, number: int) -> None:
    assert line.end(number) is None
    assert line.try_look(number) is None


def test_a_revoked_place_is_unknown_to_its_buyer(line: PaperLine) -> None:
    assert line.end(1, EndCause.REVOKED) is True

    assert line.try_look(1) is None
    assert line.end(1, EndCause.LEFT) is None
    assert line.end(1, EndCause.REVOKED) is False
    assert line.line.show(a_ref(1), line.room, line.clock.now()) is not None


def test_an_end_frees_the_slot_for_the_next_turn(line: PaperLine) -> None:
    line.end(1)

    assert line.admitted(after_ms=250) == [2]


def test_a_place_over_is_answered_also_when_its_buyer_has_a_newer_one(line: PaperLine) -> None:
    line.end(1, EndCause.PAID)
    line.join(7)
    line.stay(2, 3, for_ms=3_600_000, every_ms=20_000)

    assert line.state_of(1) is PlaceState.DONE
    assert line.look(1).buyer_id == 7
