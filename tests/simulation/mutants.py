"""Servers with a guard taken out, in this process: what the simulation has to find."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar
from unittest import mock

from stagedoor.adapters.embedded.line_commits import LineCommits
from stagedoor.adapters.sql import sale_writes
from stagedoor.adapters.sql.clock_stop import SqlClockStop
from stagedoor.adapters.sql.sales_book import _SqlSaleWork
from stagedoor.checkout.deciding import desk
from stagedoor.checkout.use_cases import CloseLeftPlace, TidyHolds
from stagedoor.holds.model import Hold, HoldState
from stagedoor.waiting_room.columns import WAITING
from stagedoor.waiting_room.turning import TurnPlan
from tests.order.mutants import MUTANTS as MUTANTS_OF_ORDER

T = TypeVar("T")


async def keep_uncommitted(_work: _SqlSaleWork) -> None:
    """Say that it is durable."""


async def take_for_failed(commits: LineCommits) -> bool:
    """Take every commit without an answer for one that has not happened."""
    commits._settle(durable=None)  # noqa: SLF001 -- the doubt is kept in there
    return False


def credit_nothing(*_: object) -> None:
    """Give no time back."""


def open_until_marked(hold: Hold, _now: object) -> bool:
    """Take a hold for open until somebody has marked it."""
    return hold.state is HoldState.OPEN


async def mark_nothing(_tidy: TidyHolds, *, limit: int) -> int:
    """Mark no hold as expired."""
    return min(0, limit)


async def keep_seats(_close: CloseLeftPlace, *_: object) -> None:
    """Let nothing go when somebody leaves."""


def whoever_came_last(plan: TurnPlan) -> Iterator[tuple[int, bool]]:
    """Let in from the back."""
    columns = plan.state.columns
    for row in reversed(range(len(columns))):
        if columns.states[row] == WAITING:
            yield columns.first + row, False


@contextmanager
def _all(*patches: AbstractContextManager[object]) -> Iterator[None]:
    with ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        yield


MUTANTS: Mapping[str, Callable[[], AbstractContextManager[object]]] = {
    "no seat is ever claimed": lambda: _all(
        mock.patch.object(sale_writes, "_expect"), mock.patch.object(desk.Desk, "is_claimed", return_value=False)
    ),
    "answer before commit": lambda: mock.patch.object(_SqlSaleWork, "commit", keep_uncommitted),
    "a lost answer is taken for a failure": lambda: mock.patch.object(
        LineCommits, "_is_settled_as_durable", take_for_failed
    ),
    "no time is given back": lambda: mock.patch.object(SqlClockStop, "_credit", credit_nothing),
    "a deadline is when the sweeper comes": lambda: _all(
        mock.patch.object(sale_writes, "_expect"),
        mock.patch.object(Hold, "is_open_at", open_until_marked),
        mock.patch.object(TidyHolds, "tidy", mark_nothing),
    ),
    "keys are forgotten": lambda: mock.patch.object(desk, "scope_of", return_value=None),
    "leaving keeps the seats": lambda: mock.patch.object(CloseLeftPlace, "close", keep_seats),
    "last come, first served": lambda: mock.patch.object(TurnPlan, "candidates", whoever_came_last),
    "an end is counted twice": MUTANTS_OF_ORDER["count twice"],
}
