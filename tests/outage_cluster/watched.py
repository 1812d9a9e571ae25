"""
The product, and beside it a file that says what only the process itself can know, by its own clock.

A line of JSON in `facts.jsonl` of the working folder for each answer (how long
it took from the request's first byte), each change of a breaker, each call that
reached a dependency while the breaker before it was open or half open, and, a
few times a second, for what is taken out of the pools and the bulkheads and how
late the loop was. Where the loop stands for long, what it stands at is in the
server's log.
"""

import faulthandler
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from stagedoor.adapters.bounded_lanes import BoundedLanes
from stagedoor.adapters.kafka.publisher import KafkaPublisher
from stagedoor.adapters.redis.client import RedisClient
from stagedoor.adapters.sql.server_lanes import ServerLanes
from stagedoor.cli import main
from stagedoor.http.call import Call
from stagedoor.http.edge import Edge
from stagedoor.http.load import LOOK_EVERY_S, Load
from stagedoor.resilience.breaker import BreakerEvent, CircuitBreaker, Permit, State, StateChanged
from stagedoor.resilience.breakers import Breakers, Instance
from tests.outage_cluster.facts import FILE

LOOKS_A_SAMPLE = 5
STANDS_S = 10.0

facts = Path(FILE).open("ab", buffering=0)  # noqa: SIM115 -- as long as the process
house: dict[str, Any] = {}


def tell(**fact: object) -> None:
    """Write one fact down, with its instant."""
    facts.write(msgspec.json.encode({"at": time.monotonic(), **fact}) + b"\n")


def wrapped(owner: type, name: str, before: Callable[..., None]) -> None:
    """Have *before* called with the arguments of `owner.name` whenever that is."""
    inner = vars(owner)[name]

    def outer(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 -- whatever it takes and returns
        before(*arguments)
        return inner(*arguments, **named)

    setattr(owner, name, outer)


def made(name: str) -> Callable[..., None]:
    """Return what remembers the object that is made, of which a house has one that serves."""
    return lambda made, *_: house.update({name: made})


def reaching(instance: Instance) -> Callable[..., None]:
    """Return what looks, when a call reaches the dependency, whether it may, or is one of the few that try."""

    def reached(*_: object) -> None:
        if "breakers" not in house:
            return
        breaker: CircuitBreaker = house["breakers"].of(instance)
        if breaker.state is State.OPEN:
            tell(reached=instance.value)
        elif breaker.state is State.HALF_OPEN:
            permitted = breaker.settings.permitted_number_of_calls_in_half_open_state
            tell(tried=instance.value, permitted=permitted)

    return reached


def given_back(breaker: CircuitBreaker, permit: Permit) -> None:
    """Tell of a permit that another call may try with, because the one that had it said nothing."""
    if breaker.state is State.HALF_OPEN and permit == breaker._era:  # noqa: SLF001 -- nobody else can know
        tell(given_back=breaker.name)


def answered(_edge: Edge, call: Call, method: str) -> None:
    """Tell of an answer."""
    tell(answered=call.name, status=call.status, seconds=time.perf_counter() - call.began, method=method)


def changed(event: BreakerEvent) -> None:
    """Tell of a breaker's change."""
    if isinstance(event, StateChanged):
        tell(breaker=event.breaker, left=event.left.value, entered=event.entered.value)


def listen(breakers: Breakers, *_: object) -> None:
    """Hear of all changes, as soon as the first breaker is asked for."""
    if "breakers" not in house:
        house["breakers"] = breakers
        breakers.subscribe(changed)


class Looks:
    """Counts the looks at the loop, and keeps its greatest lag between two samples."""

    def __init__(self, look: Callable[[Load], Awaitable[int]]) -> None:
        self._look = look
        self._count = 0
        self._last = time.monotonic()
        self._lag_s = 0.0

    async def __call__(self, load: Load) -> int:
        """Look, and now and then tell."""
        now = time.monotonic()
        self._lag_s, self._last = max(self._lag_s, now - self._last - LOOK_EVERY_S), now
        self._count += 1
        if self._count % LOOKS_A_SAMPLE == 0:
            faulthandler.dump_traceback_later(STANDS_S)
            tell(taken=taken(), lag_s=self._lag_s)
            self._lag_s = 0.0
        return await self._look(load)


def behind(lanes: Any) -> Any:  # noqa: ANN401 -- what is looked at in them nobody else can know
    """Return the server's lanes that are behind whatever stands before them."""
    while not isinstance(lanes, ServerLanes):
        lanes = lanes._lanes  # noqa: SLF001 -- as above
    return lanes


def taken() -> dict[str, int]:
    """Count what is out of each pool, and in each bulkhead, at this instant."""
    bounded, redis = house["bounded"], house["redis"]
    # Of the lanes that are served from: a start opens others beside them.
    lanes = behind(bounded)
    return {
        "writes": bounded._writes.inside,  # noqa: SLF001 -- as above
        "reads": bounded._reads.inside,  # noqa: SLF001 -- as above
        "writers": lanes.write_engine.pool.checkedout(),
        "readers": lanes._read_engine.pool.checkedout(),  # noqa: SLF001 -- as above
        "redis": len(redis._redis.connection_pool._in_use_connections),  # noqa: SLF001 -- as above
    }


wrapped(RedisClient, "__init__", made("redis"))
wrapped(BoundedLanes, "__init__", made("bounded"))
wrapped(Breakers, "of", listen)
wrapped(ServerLanes, "writing", reaching(Instance.DATABASE))
wrapped(ServerLanes, "reading", reaching(Instance.DATABASE_READS))
wrapped(RedisClient, "_in_time", reaching(Instance.REDIS))
wrapped(KafkaPublisher, "publish", reaching(Instance.KAFKA))
wrapped(CircuitBreaker, "release", given_back)
wrapped(Edge, "_account", answered)
looks = Looks(Load.look)


async def look(load: Load) -> int:
    """Stand in for the load's own look."""
    return await looks(load)


Load.look = look  # type: ignore[method-assign, assignment]
main()
