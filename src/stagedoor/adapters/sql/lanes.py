"""How SQL reaches a database: one lane that writes, in transactions, and lanes that read beside it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")

Step = Callable[[Connection], T]
"""Synchronous SQL on a connection. It runs off the event loop, so it must touch nothing but its arguments."""


class WriteTransaction(Protocol):
    """A transaction that was opened for writing, so that nobody else can write before it ends."""

    async def run(self, step: Step[T]) -> T:
        """Run *step* inside the transaction. Raises `Fault` if the database failed."""
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
