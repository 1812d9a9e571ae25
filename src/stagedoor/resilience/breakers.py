"""The breakers of one process by the name of what each of them guards."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from stagedoor.resilience.breaker import ON_SALE, BreakerSettings, CircuitBreaker, Listener, MonotonicNs, State


class Instance(StrEnum):
    """
    What can be guarded; the values are the names in settings, metrics and logs.

    The services count their callers: one who had to wait for a store, and how
    that ended for her. The dependencies count what reached them: one
    transaction, one read, one command, however many callers it was for (ADR 34).
    """

    QUEUE = "queueService"
    """Joining, leaving, a poll that has to wait, and the ticks of admission."""

    CONCERT = "concertService"
    """Schedules, seats and the programme, where they have to be read."""

    SALE = "saleService"
    """Reserving, releasing, paying and charging."""

    DATABASE = "database"
    """Transactions that write to the database."""

    DATABASE_READS = "databaseReads"
    """
    Transactions that only read from it.

    Apart from the others because a database that takes no writes (locked, full,
    a replica) mostly still reads, and would look half well by that.
    """

    REDIS = "redis"
    KAFKA = "kafka"


SERVICES: Final = frozenset({Instance.QUEUE, Instance.CONCERT, Instance.SALE})


class Breakers:
    """
    Makes each breaker when it is first asked for, so that there are those that guard something, and no others.

    *settings* has what differs from `ON_SALE`. Whoever listens hears of all of them.
    """

    def __init__(self, settings: Mapping[Instance, BreakerSettings], *, now_ns: MonotonicNs) -> None:
        self._settings = settings
        self._now_ns = now_ns
        self._made: dict[Instance, CircuitBreaker] = {}
        self._listeners: list[tuple[Listener, bool]] = []

    def of(self, instance: Instance) -> CircuitBreaker:
        """Return the breaker that guards *instance*."""
        breaker = self._made.get(instance)
        if breaker is None:
            settings = self._settings.get(instance, ON_SALE)
            breaker = self._made[instance] = CircuitBreaker(instance.value, settings, now_ns=self._now_ns)
            for listener, calls in self._listeners:
                breaker.subscribe(listener, calls=calls)
        return breaker

    def all(self) -> Sequence[CircuitBreaker]:
        """Return the breakers there are, in the order of `Instance`."""
        return [self._made[instance] for instance in Instance if instance in self._made]

    def find(self, name: str) -> CircuitBreaker | None:
        """Return the breaker called *name*, None if there is none."""
        return next((breaker for breaker in self._made.values() if breaker.name == name), None)

    def subscribe(self, listener: Listener, *, calls: bool = True) -> None:
        """Tell *listener* every event of every breaker from now on, also of those made later; see `CircuitBreaker`."""
        self._listeners.append((listener, calls))
        for breaker in self._made.values():
            breaker.subscribe(listener, calls=calls)

    async def tick(self) -> int:
        """Do what time alone brings about; return how many breakers changed their state by it."""
        changed = 0
        for breaker in self._made.values():
            before: State = breaker.state
            breaker.tick()
            changed += breaker.state is not before
        return changed
