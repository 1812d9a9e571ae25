"""A value read from a store and kept for as long as nothing says that it has changed; and what to do in an outage."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from stagedoor.kernel.clock import SECOND_MS, Clock, Instant
from stagedoor.kernel.errors import Fault
from stagedoor.observability.unheard import to_its_end
from stagedoor.observability.until import until
from stagedoor.resilience.breaker import CircuitBreaker
from stagedoor.resilience.deadline import Deadline, current, due

T = TypeVar("T")

STALE_MS_MAX = 150
"""How long a value known to be old may still be given, so that a heavy sale does not become a heavy read."""

READS_AT_ONCE = 4
"""How many reads may follow each other at once before that: a lone buyer always sees what she just did."""

READ_WAIT_MS_MAX = 5_000

PATIENCE_MS = 1_000
"""How long a read may take before whoever waits for it is given the last good value instead, where there is one."""


class Given(NamedTuple, Generic[T]):
    """A value; *fault* is why it could not be read again, and *stale_ms* since when it may be out of date."""

    value: T
    fault: Fault | None = None
    stale_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """
    For how long the last good value may stand in for one that cannot be read: *stale_ms_max* from when it aged.

    *machine_clock* measures every age: the clock that judges deadlines may stand still, in an outage or while the
    sale is given up for a while, and what can be read goes on to be read.
    """

    machine_clock: Clock
    stale_ms_max: int


class Kept(Generic[T]):
    """
    One value, read when it is asked for and not known to be fresh.

    However many ask at once, one read serves them; while the store can be
    read, nobody gets a value older than `STALE_MS_MAX` before she asked. Where
    it cannot, or takes longer than `PATIENCE_MS` or than she waits, the last
    good value is given and says so, as *fallback* allows. Beyond that a read
    that fails, fails those who waited for it; the next asks again.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[T]],
        clock: Clock,
        fallback: Fallback,
        *,
        good_until: Callable[[T], Instant],
        guard: CircuitBreaker,
    ) -> None:
        """
        Read by *read*; a value is good until the instant of *clock* that *good_until* says, or until `changed`.

        *guard* counts whoever has to wait for a read, and while it is open nothing is read.
        """
        self._read = read
        self._guard = guard
        self._clock = clock
        self._fallback = fallback
        self._good_until = good_until
        self._value: list[T] = []
        self._value_good_until = Instant(0)
        self._version = 0
        self._stale_since: Instant | None = None
        self._reading: asyncio.Task[None] | None = None
        self._reading_version = -1
        self._reading_since = 0.0
        self._changed_while_reading_at: Instant | None = None
        self._allowance = float(READS_AT_ONCE)
        self._allowance_at = Instant(0)

    def changed(self) -> None:
        """Note that what is stored is no longer what was read."""
        self._version += 1
        now = self._fallback.machine_clock.now()
        if self._stale_since is None:
            self._stale_since = now
        if self._reading is not None and self._changed_while_reading_at is None:
            self._changed_while_reading_at = now

    @property
    def last(self) -> T | None:
        """The value last read, however old."""
        return self._value[0] if self._value else None

    def at_once(self) -> T | None:
        """Return the value if it may be given without a read, else None."""
        return self._value[0] if self._value and self._may_be_given() else None

    async def get(self) -> Given[T]:
        """
        Return the value, read again if need be.

        Raises `CallNotPermitted`, `DeadlineMissed`, `CallersDeadlineMissed` and whatever the read raises.
        """
        if (value := self.at_once()) is not None:
            return Given(value)
        try:
            if self._guard.tries:
                # Not in her time: those who are in a hurry would take every trial, and show nothing.
                loop, hers = asyncio.get_running_loop(), current()
                with due(None if hers is None else hers.anew(loop.time())):
                    trial = loop.create_task(self._try_to_read())
                async with until(hers):
                    return Given(await to_its_end(trial))
            with self._guard.call():
                return Given(await self._read_again())
        except Fault as fault:
            return self._last_good(fault)

    async def _try_to_read(self) -> T:
        with self._guard.call():
            return await self._read_again()

    def _last_good(self, fault: Fault) -> Given[T]:
        """Return the value that *fault* kept from being read again. Raises *fault* where there is none, or too old."""
        if (value := self.at_once()) is not None:
            # Read after all, just as the patience was over.
            return Given(value)
        stale_ms = self._stale_ms()
        if not self._value or stale_ms > self._fallback.stale_ms_max:
            raise fault
        return Given(self._value[0], fault, stale_ms)

    async def _read_again(self) -> T:
        asked_version = self._version
        now = asyncio.get_running_loop().time()
        ends, deadline = now + self._patience_s(), current()
        if deadline is None or deadline.at > ends:
            deadline = Deadline(ends)
        async with until(deadline):
            while True:
                task, version = self._reading_task()
                await to_its_end(task)
                # A read that began after the last change she can know of shows all that she can know of.
                if version >= asked_version or self._may_be_given():
                    break
        return self._value[0]

    def _patience_s(self) -> float:
        """Return how long to wait for a read: what is left of one under way, where there is a value to fall back on."""
        if not self._value or self._stale_ms() > self._fallback.stale_ms_max:
            return READ_WAIT_MS_MAX / SECOND_MS
        under_way_s = 0.0 if self._reading is None else asyncio.get_running_loop().time() - self._reading_since
        return max(0.0, PATIENCE_MS / SECOND_MS - under_way_s)

    def _stale_ms(self) -> int:
        """Return for how long the value may have been out of date, 0 if it is not known to be."""
        if self._stale_since is None:
            return 0
        return max(0, self._fallback.machine_clock.now() - self._stale_since)

    def _may_be_given(self) -> bool:
        if self._stale_since is None:
            if self._clock.now() < self._value_good_until:
                return True
            self._stale_since = self._value_good_until
        now = self._fallback.machine_clock.now()
        return now - self._stale_since <= STALE_MS_MAX and self._allowed(now) < 1

    def _allowed(self, now: Instant) -> float:
        regained = (now - self._allowance_at) / STALE_MS_MAX
        self._allowance = min(float(READS_AT_ONCE), self._allowance + regained)
        self._allowance_at = now
        return self._allowance

    def _reading_task(self) -> tuple[asyncio.Task[None], int]:
        if self._reading is None:
            self._allowance = max(0.0, self._allowed(self._fallback.machine_clock.now()) - 1)
            self._reading_version = self._version
            self._reading_since = asyncio.get_running_loop().time()
            self._changed_while_reading_at = None
            # It is read for everybody, so not in the time of whoever asked first.
            with due(Deadline(self._reading_since + READ_WAIT_MS_MAX / SECOND_MS)):
                self._reading = asyncio.get_running_loop().create_task(self._read_once())
        return self._reading, self._reading_version

    async def _read_once(self) -> None:
        try:
            value = await self._read()
        finally:
            # Here, and not by a callback: whoever asks before that is called would wait for what has ended, for ever
            # and without giving way.
            self._reading = None
        self._value = [value]
        self._value_good_until = self._good_until(value)
        self._stale_since = self._changed_while_reading_at
