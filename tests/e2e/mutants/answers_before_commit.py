"""A server that answers first and commits later: once started, one transaction in forty is made durable."""

from sqlalchemy import Connection

from stagedoor.adapters.embedded import sqlite_file
from stagedoor.adapters.sql.lanes import Step
from tests.e2e.harness.removed_guard import replace, run

FIRST = 20
KEPT_BACK = 40

Transaction = sqlite_file._Transaction  # noqa: SLF001 -- the guard is in there
open_for_writing, really_close = Transaction.open, Transaction.close
kept: list[Connection] = []
said_to_be_durable: list[int] = []


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
    """Say that it is durable; one time in forty it is."""
    del proof
    said_to_be_durable.append(1)
    if len(said_to_be_durable) <= FIRST or len(said_to_be_durable) % KEPT_BACK == 0:
        assert transaction.connection is not None
        await transaction._file.in_writer(transaction.connection.commit)  # noqa: SLF001 -- as above
        await transaction._file.in_writer(lambda: really_close(transaction))  # noqa: SLF001 -- as above


replace(Transaction, "open", open_or_go_on)
replace(Transaction, "close", keep)
replace(Transaction, "commit", commit_seldom)
run()
