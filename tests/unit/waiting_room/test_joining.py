import pytest

from stagedoor.kernel.clock import DAY_MS, later
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.model import EndCause, PlaceState
from stagedoor.waiting_room.rejections import LineIsFull, RoomIsClosed
from stagedoor.waiting_room.room import RoomState
from tests.builders.line import NOON, PaperLine, a_room


def test_numbers_come_from_one_counter_that_starts_at_1() -> None:
    line = PaperLine(a_room())

    assert line.join(70, 50, 60) == [1, 2, 3]


def test_a_buyer_has_one_living_place() -> None:
    line = PaperLine(a_room())

    assert line.join(7, 8, 7) == [1, 2, 1]


def test_a_buyer_twice_in_one_batch_has_one_place() -> None:
    line = PaperLine(a_room())
    plan = line.line.plan_joins(line.room, NOON)

    numbers = [plan.join(BuyerId(buyer)) for buyer in (7, 8, 7)]
    line.line.apply(plan.change())

    assert numbers == [1, 2, 1]
    assert line.line.view().last_number == 2


def test_planning_changes_nothing() -> None:
    line = PaperLine(a_room())

    line.line.plan_joins(line.room, NOON).join(BuyerId(7))

    assert line.line.view().last_number == 0
    assert line.join(8) == [1]


@pytest.mark.parametrize("cause", [EndCause.LEFT, EndCause.PAID, EndCause.REVOKED])
def test_after_the_end_there_is_a_new_place_at_the_back(cause: EndCause) -> None:
    line = PaperLine(a_room())
    line.join(7, 8)

    line.end(1, cause)

    assert line.join(7) == [3]
    assert line.state_of(2) is PlaceState.WAITING


@pytest.mark.parametrize("state", [RoomState.OPEN, RoomState.PAUSED])
def test_before_the_opening_and_in_a_pause_places_are_given(state: RoomState) -> None:
    line = PaperLine(a_room(state=state, opens_at=later(NOON, 1)))

    assert line.join(7) == [1]


def test_a_closed_room_gives_no_places() -> None:
    line = PaperLine(a_room(closes_at=NOON))

    assert isinstance(line.try_join(7), RoomIsClosed)


def test_who_is_inside_when_the_room_closes_still_has_her_place() -> None:
    line = PaperLine(a_room(closes_at=later(NOON, 1_000)))
    line.join(7)
    line.admitted()

    line.turn(after_ms=1_000)

    assert line.try_join(7) == 1


def test_a_full_line_takes_nobody_until_somebody_is_gone() -> None:
    line = PaperLine(a_room(line_max=2))
    line.join(7, 8)

    assert isinstance(line.try_join(9), LineIsFull)
    assert line.try_join(7) == 1
    line.end(1)
    assert line.try_join(9) == 3


def test_a_full_line_is_full_within_one_batch() -> None:
    line = PaperLine(a_room(line_max=1))
    plan = line.line.plan_joins(line.room, NOON)

    assert plan.join(BuyerId(7)) == 1
    assert isinstance(plan.join(BuyerId(8)), LineIsFull)


def test_the_token_s_end_is_fixed_at_joining() -> None:
    line = PaperLine(a_room())
    line.join(7)
    line.room = a_room(closes_at=later(NOON, 1_000))
    line.join(8)

    assert line.show(1).token_expires_at == NOON + 7 * DAY_MS
    assert line.show(2).token_expires_at == NOON + 1_000 + DAY_MS
