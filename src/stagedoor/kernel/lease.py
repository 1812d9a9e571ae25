"""
One process at a time: a stored lease that says who leads, and a fence that the store refuses sleepers by.

Nobody compares clocks of two machines. Whoever holds the lease moves its beat
on; whoever waits for it takes it once the beat has stood still for
`TAKEN_AFTER_MS` by its own clock. Each taking raises the fence, and what is
written under an older fence is refused, whatever its writer still believes.
"""

from typing import NamedTuple, NewType, Protocol

from stagedoor.kernel.clock import Clock, Instant, later
from stagedoor.kernel.errors import Fault

Fence = NewType("Fence", int)
"""Which holding of a lease it is: one more than the one before."""

KEPT_EVERY_MS = 250
"""How often a holder moves the beat on, and those who wait look at one that stands still."""

LOOKED_AT_AFTER_MS = 300
"""So long after they saw it move those who wait do not look at it: with the next time to keep it that is 500 ms."""

HELD_FOR_MS = 800
"""For so long after it began to move the beat on a holder takes itself for one."""

TAKEN_AFTER_MS = 1_000
"""A beat that stood still for so long is nobody's: with a look before and one after that is within 2 s of a death."""


class LeaseLost(Fault):
    """Somebody else holds the lease by now; nothing was written."""


class LeaseSight(NamedTuple):
    """A lease as it is stored. Nobody's, and it may be taken at once, where *holder* is None."""

    fence: Fence
    beat: int
    holder: str | None


class LeaseBook(Protocol):
    """The stored leases. Every call raises `Fault` where the store fails."""

    async def look(self, name: str) -> LeaseSight:
        """Return the lease *name* as it is stored."""
        ...

    async def take(self, name: str, seen: LeaseSight, *, holder: str) -> Fence | None:
        """Make *holder* the holder and return its fence, None if the lease is no longer as it was *seen*."""
        ...

    async def renew(self, name: str, fence: Fence) -> bool:
        """Move the beat on; tell whether *fence* still is the lease's."""
        ...

    async def give_back(self, name: str, fence: Fence) -> None:
        """Make the lease nobody's, if *fence* still is its own."""
        ...


class Leadership(Protocol):
    """Whether this process leads in something that one process at a time may do."""

    @property
    def fence(self) -> Fence | None:
        """What to write under, None while somebody else leads."""
        ...


class OnlyProcess(Leadership):
    """The leadership of a process that is the only one there can be."""

    @property
    def fence(self) -> Fence:
        """The one fence there is."""
        return Fence(0)


class Lease(Leadership):
    """One process's side of a stored lease."""

    def __init__(self, book: LeaseBook, clock: Clock, *, name: str, holder: str) -> None:
        """
        Hold nothing yet.

        *holder* is told to whoever looks; no two processes may have the same.
        """
        self.name = name
        self._book = book
        self._clock = clock
        self._holder = holder
        self._fence: Fence | None = None
        self._held_until = Instant(0)
        self._seen: LeaseSight | None = None
        self._seen_at = self._look_at = Instant(0)

    @property
    def fence(self) -> Fence | None:
        """What to write under, None where the lease is not held, or was not renewed for too long to be sure."""
        return self._fence if self._clock.now() < self._held_until else None

    async def keep(self) -> None:
        """
        Renew the lease, or take it if it is nobody's; to be called every `KEPT_EVERY_MS`. Raises `Fault`.

        Nobody is asked while somebody else was seen to keep it a moment ago.
        """
        now = self._clock.now()
        if self._fence is not None:
            if await self._book.renew(self.name, self._fence):
                self._held_until = later(now, HELD_FOR_MS)
                return
            self._fence = None
        if now < self._look_at:
            return
        seen = await self._book.look(self.name)
        if seen != self._seen:
            self._seen, self._seen_at, self._look_at = seen, now, later(now, LOOKED_AT_AFTER_MS)
        if seen.holder is None or now - self._seen_at >= TAKEN_AFTER_MS:
            self._fence = await self._book.take(self.name, seen, holder=self._holder)
            self._held_until = later(now, HELD_FOR_MS)

    async def give_back(self) -> None:
        """Let the next one have it at once. Raises `Fault`."""
        fence, self._fence = self._fence, None
        if fence is not None:
            await self._book.give_back(self.name, fence)
