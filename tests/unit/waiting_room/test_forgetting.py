from stagedoor.kernel.clock import Instant
from stagedoor.waiting_room.columns import BLOCK
from stagedoor.waiting_room.model import PlaceState
from tests.builders.line import PaperLine, a_room


def forget(line: PaperLine, *, ended_before: int, limit: int = 10_000) -> tuple[int, ...]:
    change = line.line.plan_forgetting(ended_before=Instant(ended_before), now=line.clock.now(), limit=limit)
    line.line.apply(change)
    return change.forgotten


def test_places_long_over_are_forgotten_and_others_are_not() -> None:
    line = PaperLine(a_room(max_active=0))
    line.join(7, 8, 9)
    line.end(1)
    line.advance(1_000)
    line.end(2)

    assert forget(line, ended_before=line.clock.now()) == (1,)
    assert line.try_look(1) is None
    assert line.state_of(2) is PlaceState.EXPIRED
    assert line.state_of(3) is PlaceState.WAITING
    assert line.look(3).position == 1
    assert line.join(10) == [4]


def test_no_more_than_the_limit_at_once() -> None:
    line = PaperLine(a_room(max_active=0))
    line.join(*range(1, 11))
    for number in range(1, 11):
        line.end(number)
    line.advance(1)

    assert forget(line, ended_before=line.clock.now(), limit=4) == (1, 2, 3, 4)
    assert forget(line, ended_before=line.clock.now(), limit=40) == tuple(range(5, 11))


def test_numbers_and_positions_survive_the_forgetting_of_whole_blocks() -> None:
    line = PaperLine(a_room(max_active=0))
    everybody = range(1, 2 * BLOCK + 11)
    line.join(*everybody)
    for number in range(1, 2 * BLOCK + 1):
        line.end(number)
    line.advance(1)

    forget(line, ended_before=line.clock.now())

    assert line.state.columns.first == 2 * BLOCK + 1
    assert line.look(2 * BLOCK + 5).position == 5
    assert line.join(9_999_999) == [2 * BLOCK + 11]
    assert line.join(2 * BLOCK + 3) == [2 * BLOCK + 3]
    line.change_room(max_active=1)
    assert line.admitted() == [2 * BLOCK + 1]
