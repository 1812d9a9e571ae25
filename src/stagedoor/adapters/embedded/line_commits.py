"""One mutation of the line at a time: committed, then seen; and what to answer while nobody knows whether it was."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, TypeVar

from stagedoor.adapters.embedded.line_journal import JournalEntry, Overtaken
from stagedoor.adapters.sql.lanes import Lanes, Step
from stagedoor.kernel.clock import Instant, Outage
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import PlaceRef, RoomId
from stagedoor.observability.unheard import to_its_end
from stagedoor.resilience.deadline import due

T = TypeVar("T")

_NONE: frozenset[int] = frozenset()


class UnsettledCommit(Fault):
    """Whether the line's last commit happened is not known yet."""


class _Doubt(NamedTuple):
    entry: JournalEntry
    proof: Step[bool]


class LineCommits:
    """
    Takes the line's mutations one by one through the journal into memory.

    *apply* is called with an entry once it is durable, and never for one that
    is not. A commit that was lost sight of is looked up in the journal before
    the next mutation begins. *give_back* is called with an outage that the
    journal was credited with, in the journal's order.
    """

    def __init__(
        self, lanes: Lanes, apply: Callable[[JournalEntry], None], give_back: Callable[[Outage], None]
    ) -> None:
        """Commit through *lanes*."""
        self._lanes = lanes
        self._apply = apply
        self._give_back = give_back
        self._outage_ended_at = Instant(0)
        self._owed: list[Outage] = []
        self._one_at_a_time = asyncio.Lock()
        self._running: set[asyncio.Task[object]] = set()
        self._doubt: _Doubt | None = None
        self._deciding: Mapping[RoomId, frozenset[int]] = {}
        self._settled = asyncio.Event()

    async def alone(self, work: Callable[[], Awaitable[T]]) -> T:
        """
        Run *work* while no other mutation runs; again, if it was `Overtaken` between its plan and its commit.

        A caller that gives up loses only the answer: between a commit and its
        application to memory nothing may be cut.
        """
        task = asyncio.ensure_future(self._in_turn(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await to_its_end(task)

    def give_back(self, outage: Outage) -> None:
        """Give *outage* back in memory: at once, or behind a commit that is in doubt, as it is in the journal."""
        self._outage_ended_at = outage.ended_at
        if self._doubt is None:
            self._give_back(outage)
        else:
            self._owed.append(outage)

    async def idle(self) -> None:
        """Return when no mutation is under way."""
        async with self._one_at_a_time:
            pass

    async def commit(self, entry: JournalEntry) -> None:
        """
        Make *entry* durable and apply it. Raises `Fault`: then neither has happened, or nobody knows yet.

        To be called inside `alone`.
        """
        if self._doubt is not None:
            raise UnsettledCommit("the commit before this one has no answer yet")
        if entry.is_empty:
            self._apply(entry)
            return
        self._settled.clear()
        self._deciding = {room_id: change.decided for room_id, change in entry.changes.items()}
        try:
            async with self._lanes.writing() as transaction:
                self._refuse_if_too_early(entry)
                proof = await transaction.run(entry.write)
                self._doubt = _Doubt(entry, proof)
                await transaction.commit(proof=proof)
        except Fault:
            if not await self._is_settled_as_durable():
                raise
        except BaseException:
            self._lose_sight()
            raise
        else:
            self._settle(durable=entry)

    def _refuse_if_too_early(self, entry: JournalEntry) -> None:
        # To be asked once the lock for writing is held: whoever waited for it may have been overtaken by an outage.
        if entry.at < self._outage_ended_at:
            raise Overtaken("time was given back since this was planned")

    def is_deciding(self, ref: PlaceRef) -> bool:
        """Say whether a commit is under way that decides the place *ref*: until then nobody can say how it stands."""
        return bool(self._deciding) and ref.number in self._deciding.get(ref.room_id, _NONE)

    async def decided(self, ref: PlaceRef) -> None:
        """
        Return once the standing of the place *ref* is known, at once unless a commit is under way that decides it.

        Raises `UnsettledCommit` where that commit was lost sight of.
        """
        while self.is_deciding(ref):
            if self._settled.is_set():
                raise UnsettledCommit("the commit that decides this place has no answer yet")
            await self._settled.wait()

    async def _in_turn(self, work: Callable[[], Awaitable[T]]) -> T:
        async with self._one_at_a_time:
            while True:
                if self._doubt is not None:
                    await self._look_up(self._doubt)
                with contextlib.suppress(Overtaken):
                    return await work()

    async def _is_settled_as_durable(self) -> bool:
        """Return whether the entry of the commit that just failed is durable all the same."""
        if self._doubt is None:
            self._settle(durable=None)
            return False
        try:
            return await self._look_up(self._doubt)
        except Fault:
            self._lose_sight()
            return False

    async def _look_up(self, doubt: _Doubt) -> bool:
        # However late it is for whoever asked: a commit whose outcome nobody knows holds up all that come after it.
        with due(None):
            is_durable = await self._lanes.reading(doubt.proof)
        self._settle(durable=doubt.entry if is_durable else None)
        return is_durable

    def _settle(self, *, durable: JournalEntry | None) -> None:
        if durable is not None:
            self._apply(durable)
        self._doubt = None
        for outage in self._owed:
            self._give_back(outage)
        self._owed.clear()
        self._deciding = {}
        self._settled.set()

    def _lose_sight(self) -> None:
        """Let whoever waits for the commit go on: without an answer where there is a doubt."""
        if self._doubt is None:
            self._deciding = {}
        self._settled.set()
