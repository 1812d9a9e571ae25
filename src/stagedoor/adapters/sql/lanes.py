"""How SQL reaches a database: lanes that write, in transactions, and lanes that read beside them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from stagedoor.kernel.errors import Fault, StoreFull

T = TypeVar("T")

Step = Callable[[Connection], T]
"""
Synchronous SQL on a connection.

It must touch nothing but its arguments: it may run off the event loop, and it
may be run again from its beginning, in a new transaction.
"""


class DatabaseFault(Fault):
    """The database failed: locked, full, gone, a bad disk."""


class DatabaseFull(DatabaseFault, StoreFull):
    """The database's disk is full."""


class RolledBack(DatabaseFault):
    """The database undid the transaction for another's sake, so nothing of it has happened: it can be done again."""


class WriteTransaction(Protocol):
    """
    A transaction that was opened for writing.

    What a step has locked stays as it was read until the end. A file has one
    transaction at a time; a server has many, at READ COMMITTED: each statement
    sees what others have committed by then, so only what is locked can be
    decided on.
    """

    async def run(self, step: Step[T]) -> T:
        """
        Run *step* inside the transaction. Raises `Fault` if the database failed.

        The first step of a transaction is run again where the database undid it
        for another's sake; a later one raises `RolledBack`, because what was
        decided on the earlier ones no longer holds.
        """
        ...

    async def commit(self, *, proof: Step[bool]) -> None:
        """
        Make the transaction durable.

        When the database fails to say whether it did, *proof* is asked, in a
        new transaction: it says whether the ids of this one are there. Raises
        `Fault` if they are not, or nobody can say.
        """
        ...


class Lanes(Protocol):
    """The ways into one database."""

    def writing(self) -> AbstractAsyncContextManager[WriteTransaction]:
        """Open a transaction for writing; leaving without a commit undoes it. Raises `Fault`."""
        ...

    async def reading(self, step: Step[T]) -> T:
        """Run *step* in a transaction that sees one consistent state and writes nothing. Raises `Fault`."""
        ...


async def asked_among_writes(lanes: Lanes, step: Step[T]) -> T:
    """
    Run *step*, which writes nothing and which nobody can write without, where writes go. Raises `Fault`.

    So it is stopped by nothing that does not stop these as well: no slow list, no order to leave reads alone.
    """
    async with lanes.writing() as transaction:
        return await transaction.run(step)
