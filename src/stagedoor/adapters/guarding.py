"""Where breakers stand before a dependency: what reaches it is counted, and while it is given up on nothing does."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TypeVar

from stagedoor.adapters.sql.lanes import Lanes, RolledBack, Step, WriteTransaction
from stagedoor.kernel.events import DomainEvent
from stagedoor.outbox.ports import EventPublisher, NotTaken
from stagedoor.resilience.breaker import CircuitBreaker, GuardedCall

T = TypeVar("T")

_CALL: ContextVar[GuardedCall] = ContextVar("guarded_call")
"""The call as which a transaction was let pass, found again once its turn has come."""


class GuardedLanes(Lanes):
    """
    Lanes that are not gone down while the breaker before them is open.

    A transaction is one call, from the moment it is asked for to its end: the
    turn it waits for, its steps and its commit. How many commands a batch puts
    into it makes no difference. Everything raises `CallNotPermitted`, a
    `Fault`, while its breaker is open; a transaction that was begun is never
    refused its commit. One that ends well without a commit counts as nothing:
    it has not shown that the database takes writes. Nor has one that was undone
    for another's sake shown that it does not: the other's went through, and
    whoever asked asks again.
    """

    def __init__(self, lanes: Lanes, *, writes: CircuitBreaker, reads: CircuitBreaker) -> None:
        """Guard *lanes*, each kind of transaction by a breaker of its own."""
        self._lanes = lanes
        self._writes = writes
        self._reads = reads

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        """Open a transaction for writing."""
        undone = None
        with self._writes.call() as call:
            _CALL.set(call)
            try:
                async with self._lanes.writing() as transaction:
                    guarded = _Committing(transaction)
                    yield guarded
            except RolledBack as error:
                call.say_nothing()
                undone = error
            else:
                if not guarded.is_committed:
                    call.say_nothing()
        if undone is not None:
            # Not inside: what leaves the call as an error is counted, whatever was said of it.
            raise undone

    async def reading(self, step: Step[T]) -> T:
        """Run *step* in a transaction that writes nothing."""
        with self._reads.call() as call:
            _CALL.set(call)
            return await self._lanes.reading(step)


class _Committing(WriteTransaction):
    """A transaction of which it is known whether it was committed."""

    def __init__(self, transaction: WriteTransaction) -> None:
        self._transaction = transaction
        self.is_committed = False

    async def run(self, step: Step[T]) -> T:
        return await self._transaction.run(step)

    async def commit(self, *, proof: Step[bool]) -> None:
        await self._transaction.commit(proof=proof)
        self.is_committed = True


class StillPermittedLanes(Lanes):
    """
    Lanes for those who had to wait for their turn since their breaker let them pass.

    Where it has opened meanwhile they are not gone down any more, nor where it
    is on trial since: they are none of the calls that it tries with. Everything
    raises `CallNotPermitted` then.
    """

    def __init__(self, lanes: Lanes) -> None:
        """Look once more at the breakers of `GuardedLanes`, right before *lanes*."""
        self._lanes = lanes

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        """Open a transaction for writing."""
        _CALL.get().look_again()
        async with self._lanes.writing() as transaction:
            yield transaction

    async def reading(self, step: Step[T]) -> T:
        """Run *step* in a transaction that writes nothing."""
        _CALL.get().look_again()
        return await self._lanes.reading(step)


class GuardedPublisher(EventPublisher):
    """A publisher that is not asked while the breaker before it is open; a batch is one call."""

    def __init__(self, publisher: EventPublisher, breaker: CircuitBreaker) -> None:
        """Guard *publisher*."""
        self._publisher = publisher
        self._breaker = breaker

    async def publish(self, events: Sequence[DomainEvent]) -> None:
        """Hand over *events*; raises `CallNotPermitted` too, which is an outage like any other."""
        refusal = None
        with self._breaker.call():
            try:
                await self._publisher.publish(events)
            except NotTaken as error:
                # Whoever refuses an event is there and answers.
                refusal = error
        if refusal is not None:
            raise refusal
