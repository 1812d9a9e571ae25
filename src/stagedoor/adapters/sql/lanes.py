"""How SQL reaches a database: lanes that write, in transactions, and lanes that read beside them."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from stagedoor.kernel.errors import Fault, StoreFull

T = TypeVar("T")

OTHER_WAY_AFTER_S = 0.25
"""So long a question that may go either way waits for its answer before it goes the other one as well."""

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


async def asked_either_way(lanes: Lanes, step: Step[T]) -> T:
    """
    Run *step*, which writes nothing, where reads go; where that fails or takes long, where writes go as well.

    For what has to be heard by whoever can still write, or still read. Returns the first answer. Raises the `Fault` of
    the reading if there is none.
    """
    reading = asyncio.ensure_future(lanes.reading(step))
    ways = {reading}
    try:
        await asyncio.wait(ways, timeout=OTHER_WAY_AFTER_S)
        if not _has_answered(reading):
            ways.add(asyncio.ensure_future(asked_among_writes(lanes, step)))
        waiting = set(ways)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                if _has_answered(way):
                    return way.result()
        return reading.result()
    finally:
        for way in ways:
            if not way.cancel() and not way.cancelled():
                # Looked at, or asyncio would tell of it as of an error that nobody has looked at.
                way.exception()


def _has_answered(way: "asyncio.Future[T]") -> bool:
    """Say whether there is an answer. Raises what is no `Fault`."""
    if not way.done():
        return False
    error = way.exception()
    if error is not None and not isinstance(error, Fault):
        raise error
    return error is None
