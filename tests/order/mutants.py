"""Lines with one of their promises taken out, in this process: what the judge has to find."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from unittest import mock

from stagedoor.waiting_room.columns import WAITING
from stagedoor.waiting_room.turning import TurnPlan

SKEW_MS = 1_500

count_running = TurnPlan.running


def _waiting(plan: TurnPlan) -> list[int]:
    columns = plan.state.columns
    return [columns.first + row for row in range(len(columns)) if columns.states[row] == WAITING]


def whoever_polled_last(plan: TurnPlan) -> Iterator[tuple[int, bool]]:
    """Let in whoever asks while there is room, as a server does that admits on a poll."""
    columns = plan.state.columns
    for number in sorted(_waiting(plan), key=lambda number: -columns.seen_at[number - columns.first]):
        yield number, False


def by_skewed_timestamps(plan: TurnPlan) -> Iterator[tuple[int, bool]]:
    """Let in by the time of joining, as two servers do whose clocks are a little apart."""
    columns = plan.state.columns

    def joined_at(number: int) -> int:
        return columns.token_expires_at[number - columns.first] + SKEW_MS * (number % 2)

    for number in sorted(_waiting(plan), key=joined_at):
        yield number, False


def every_end_twice(plan: TurnPlan) -> int:
    """Count each pass that ends in this turn as two free slots."""
    return count_running(plan) - len(plan.not_taken) - sum(ending.had_pass for ending in plan.ended.values())


MUTANTS: Mapping[str, Callable[[], AbstractContextManager[object]]] = {
    "admit on poll": lambda: mock.patch.object(TurnPlan, "candidates", whoever_polled_last),
    "order by timestamp": lambda: mock.patch.object(TurnPlan, "candidates", by_skewed_timestamps),
    "count twice": lambda: mock.patch.object(TurnPlan, "running", every_end_twice),
}
CAUGHT_BY: Mapping[str, str] = {
    "admit on poll": "nobody present is overtaken",
    "order by timestamp": "nobody present is overtaken",
    "count twice": "never more inside than `max_active`",
}
"""Which promise each of them breaks."""
