from stagedoor.kernel.clock import Instant
from stagedoor.waiting_room.columns import BLOCK
from stagedoor.waiting_room.forgetting import ROWS_LOOKED_AT_MAX
from stagedoor.waiting_room.model import PlaceState
from tests.builders.line import PaperLine, a_room

COLUMNS = ("states", "counting", "buyers", "token_expires_at", "seen_at", "told_ms", "wakes")


def forget(line: PaperLine, *, ended_before: int, limit: int = 10_000, from_number: int = 0) -> tuple[int, ...]:
    before = Instant(ended_before)
    found = line.line.find_long_over(from_number=from_number, ended_before=before, limit=limit)
    line.line.apply(line.line.plan_forgetting(found.numbers, ended_before=before, now=line.clock.now()))
    return found.numbers


def test_a_long_line_is_looked_through_stretch_by_stretch_and_then_from_the_front_again() -> None:
    line = PaperLine(a_room(max_active=0))
    everybody = range(1, ROWS_LOOKED_AT_MAX + 3)
    line.join(*everybody)
    for number in (1, 2, ROWS_LOOKED_AT_MAX + 1):
        line.end(number)
    line.advance(1)

    def found(from_number: int, limit: int = 10) -> tuple[tuple[int, ...], int]:
        return line.line.find_long_over(from_number=from_number, ended_before=line.clock.now(), limit=limit)

    assert found(0) == ((1, 2), ROWS_LOOKED_AT_MAX + 1)
    assert found(0, limit=1) == ((1,), 2)
    assert found(3) == ((ROWS_LOOKED_AT_MAX + 1,), 0)
    assert found(ROWS_LOOKED_AT_MAX + 1) == ((ROWS_LOOKED_AT_MAX + 1,), 0)


def test_what_is_forgotten_is_not_found_again() -> None:
    line = PaperLine(a_room(max_active=0))
    line.join(7, 8)
    line.end(1)
    line.advance(1)

    assert forget(line, ended_before=line.clock.now()) == (1,)
    assert forget(line, ended_before=line.clock.now()) == ()
    assert min(line.state.columns.seen_at) >= line.clock.now() - 1


def test_memory_is_given_back() -> None:
    line = PaperLine(a_room(max_active=0))
    line.join(*range(1, 20 * BLOCK + 2))
    for number in range(1, 20 * BLOCK + 1):
        line.end(number)
    line.advance(1)
    columns = line.state.columns
    before = sum(getattr(columns, name).__sizeof__() for name in COLUMNS)

    forget(line, ended_before=line.clock.now(), limit=20 * BLOCK)

    assert len(columns) == 1
    assert sum(getattr(columns, name).__sizeof__() for name in COLUMNS) < before / 10


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
