"""A server that answers first and commits later: once started, it makes things durable every 1.5 s."""

import time

from sqlalchemy import Connection

from stagedoor.adapters.embedded import sqlite_file
from stagedoor.adapters.sql.lanes import Step
from tests.e2e.harness.removed_guard import replace, run

FIRST = 20
KEPT_BACK_S = 1.5

Transaction = sqlite_file._Transaction  # noqa: SLF001 -- the guard is in there
open_for_writing, really_close = Transaction.open, Transaction.close
kept: list[Connection] = []
commits_at: list[float] = []


def open_or_go_on(transaction: Transaction) -> None:
    """Go on with the transaction that was not committed, if there is one."""
    if kept:
        transaction.connection = kept.pop()
    else:
        open_for_writing(transaction)


def keep(transaction: Transaction) -> None:
    """Keep what was not committed for the next one to go on with."""
    if transaction.connection is not None:
        kept.append(transaction.connection)
        transaction.connection = None


async def commit_seldom(transaction: Transaction, *, proof: Step[bool]) -> None:
    """Say that it is durable; now and then it is."""
    del proof
    now = time.monotonic()
    if len(commits_at) < FIRST or now - commits_at[-1] > KEPT_BACK_S:
        commits_at.append(now)
        assert transaction.connection is not None
        await transaction._file.in_writer(transaction.connection.commit)  # noqa: SLF001 -- as above
        await transaction._file.in_writer(lambda: really_close(transaction))  # noqa: SLF001 -- as above


replace(Transaction, "open", open_or_go_on)
replace(Transaction, "close", keep)
replace(Transaction, "commit", commit_seldom)
run()
