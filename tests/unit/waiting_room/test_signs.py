"""Many signs of those who wait, taken at once, leave the line as one by one they do."""

import random

import pytest

from stagedoor.kernel.clock import Instant, later
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.columns import UNKNOWN_MS, WAITING
from stagedoor.waiting_room.model import EndCause
from tests.builders.line import NOON, PaperLine, a_room

BUYERS = 60


def a_line() -> PaperLine:
    """A line with some who are inside, some who wait, some passed over, and some who have left."""
    line = PaperLine(a_room(max_active=10, away_after_ms=30_000))
    for buyer in range(1, BUYERS + 1):
        line.join(BuyerId(buyer))
    line.turn()
    for number in (3, 20, 40):
        line.end(number, EndCause.LEFT)
    line.turn()
    return line


def signs(seed: int) -> list[tuple[int, int, int]]:
    """Signs of known and unknown places, late and early, with and without the interval told."""
    chance = random.Random(seed)
    return [
        (
            chance.randrange(-1, BUYERS + 4),
            later(NOON, chance.randrange(-5_000, 60_000)),
            chance.choice([UNKNOWN_MS, 1_000, 5_000, 20_000]),
        )
        for _ in range(200)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_taken_together_they_are_what_they_are_one_by_one(seed: int) -> None:
    together, alone = a_line(), a_line()
    columns = alone.state.columns

    together.line.hear_of_waiting(signs(seed), together.room)
    for number, at, told_ms in signs(seed):
        row = number - columns.first
        if 0 <= row < len(columns) and columns.states[row] == WAITING:
            alone.line.hear(number, alone.room, Instant(at), told_ms)

    for column in ("states", "seen_at", "told_ms", "wakes", "counting"):
        assert getattr(together.state.columns, column) == getattr(columns, column), column
    assert together.state.passes == alone.state.passes
    due = later(NOON, 120_000)
    assert together.state.wheel.take_due(due, limit=9_999) == alone.state.wheel.take_due(due, limit=9_999)
