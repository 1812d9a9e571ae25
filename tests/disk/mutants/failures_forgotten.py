"""A server that takes a commit for done, whatever became of it."""

from contextlib import suppress

from stagedoor.adapters.embedded import sqlite_file
from stagedoor.adapters.sql.lanes import DatabaseFault, Step
from tests.e2e.harness.removed_guard import replace, run

Transaction = sqlite_file._Transaction  # noqa: SLF001 -- the guard is in there
commit = Transaction.commit


async def commit_and_hope(transaction: Transaction, *, proof: Step[bool]) -> None:
    """Commit; a failure is nobody's business."""
    with suppress(DatabaseFault):
        await commit(transaction, proof=proof)


replace(Transaction, "commit", commit_and_hope)
run()
