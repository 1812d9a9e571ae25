"""A server that answers first: while a file `answer-first` lies beside its data, it commits nothing."""

from pathlib import Path

from sqlalchemy import Connection

from stagedoor.adapters.embedded import sqlite_file
from stagedoor.adapters.sql.lanes import Step
from tests.e2e.harness.removed_guard import replace, run

ANSWER_FIRST = Path("answer-first")

Transaction = sqlite_file._Transaction  # noqa: SLF001 -- the guard is in there
open_for_writing, really_close, really_commit = Transaction.open, Transaction.close, Transaction.commit
kept: list[Connection] = []


def answers_first() -> bool:
    """Whether nothing is committed now."""
    return ANSWER_FIRST.exists()


def open_or_go_on(transaction: Transaction) -> None:
    """Go on with the transaction that was not committed, if there is one."""
    if kept:
        transaction.connection = kept.pop()
    else:
        open_for_writing(transaction)


def close_or_keep(transaction: Transaction) -> None:
    """Keep what was not committed for the next one to go on with."""
    if answers_first() and transaction.connection is not None:
        kept.append(transaction.connection)
        transaction.connection = None
    else:
        really_close(transaction)


async def commit_later(transaction: Transaction, *, proof: Step[bool]) -> None:
    """Say that it is durable."""
    if not answers_first():
        await really_commit(transaction, proof=proof)


replace(Transaction, "open", open_or_go_on)
replace(Transaction, "close", close_or_keep)
replace(Transaction, "commit", commit_later)
run()
