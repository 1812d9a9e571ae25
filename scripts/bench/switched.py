"""
The server whose guards can be taken out and put in again while it serves, started as `python -m stagedoor` is.

What they cost is what it saves without them. It is one process, because two of them differ by more than that in what
has nothing to do with guards: where their data lie on the disk, and in memory.

Taken out are the breakers before calls and transactions, deadlines, bulkheads, the shedding of load, and the watch over
the time in which nobody can buy, with its sign of life ten times a second. What is kept is what a server without them
would have as well: batches, durable commits, limits of requests.

SIGUSR1 takes them out and SIGUSR2 puts them in, once no call is under way; then a line on standard output says so.
"""

import signal
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple, TypeVar, cast

from scripts.bench.served import GUARDS_ARE, GUARDS_IN, GUARDS_OUT
from stagedoor.__main__ import main
from stagedoor.adapters import batching
from stagedoor.adapters.sql.credited_lanes import CreditedLanes
from stagedoor.adapters.sql.lanes import Lanes, Step, WriteTransaction
from stagedoor.bootstrap import standstill, stores
from stagedoor.bootstrap.passage import passage
from stagedoor.http import turn, under_way
from stagedoor.http.answer import Answer
from stagedoor.http.call import Call
from stagedoor.http.edge import Edge
from stagedoor.http.load import Load
from stagedoor.http.problems import answer_to
from stagedoor.http.under_way import Work
from stagedoor.kernel import clock
from stagedoor.kernel.errors import Rejection
from stagedoor.resilience.breakers import Breakers
from stagedoor.workers.pulse import Pulse

T = TypeVar("T")


class Place(NamedTuple):
    """Where a guard stands: what *owner* has by a *name*, and what is there *instead* while it is out."""

    owner: object
    name: str
    guard: object
    instead: object


class Guards:
    """All of them, which go together."""

    def __init__(self) -> None:
        self.are_in = True
        self._wanted: bool | None = None
        self._places: list[Place] = []
        self._edges: list[Edge] = []

    def stand(self, owner: object, name: str, *, instead: object) -> None:
        """Know of one; there has to be something by that name."""
        guard = owner.__dict__[name] if isinstance(owner, type) else getattr(owner, name)
        self._places.append(Place(owner, name, guard, instead))

    def guarded(self, edge: Edge) -> None:
        """Know who counts what is under way."""
        self._edges.append(edge)

    def take_out(self, *_signal: object) -> None:
        """Have them taken out at the next look."""
        self._wanted = False

    def put_in(self, *_signal: object) -> None:
        """Have them put in at the next look."""
        self._wanted = True

    def look(self) -> None:
        """Do what is wanted, if no call is under way that began as it was before."""
        if self._wanted is None or any(edge._under_way for edge in self._edges):  # noqa: SLF001 -- it tells nobody
            return
        self.are_in, self._wanted = self._wanted, None
        for place in self._places:
            setattr(place.owner, place.name, place.guard if self.are_in else place.instead)
        print(GUARDS_ARE[self.are_in], flush=True)


class Either(Lanes):
    """Lanes with what stands before them, while it does."""

    def __init__(self, guards: Guards, guarded: Lanes, bare: Lanes) -> None:
        self._guards, self._guarded, self._bare = guards, guarded, bare

    def writing(self) -> AbstractAsyncContextManager[WriteTransaction]:
        """Open a transaction for writing."""
        return (self._guarded if self._guards.are_in else self._bare).writing()

    def reading(self, step: Step[T]) -> Awaitable[T]:  # type: ignore[override]  # awaited, and no more
        """Run *step* in a transaction that writes nothing."""
        return (self._guarded if self._guards.are_in else self._bare).reading(step)


async def nothing(*_: object, **__: object) -> int:
    """Be done."""
    return 0


async def work_alone(_self: object, work: Work[Any], **_: object) -> Any:  # noqa: ANN401 -- as it is
    """Do a call of the sale: in its caller's own task, told to no breaker."""
    outcome = await work()
    if isinstance(outcome, Rejection):
        raise outcome
    return outcome


async def without_end(self: Any, call: Call, work: Any, **_: object) -> Answer[Any]:  # noqa: ANN401 -- as it is
    """Do a call, however long it takes."""
    self._under_way += 1
    try:
        return cast("Answer[Any]", await work())
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is told as what it is
        return answer_to(error, call)
    finally:
        self._under_way -= 1


@asynccontextmanager
async def for_ever(_self: object) -> AsyncIterator[None]:
    """Let what is done inside take as long as it takes."""
    yield


def stand_guard(guards: Guards) -> None:
    """Have *guards* know of every one that this process will have."""
    guards.stand(under_way.UnderWay, "settle", instead=work_alone)
    guards.stand(Edge, "awaited", instead=without_end)
    guards.stand(turn.Turn, "in_time", instead=for_ever)
    guards.stand(batching, "current", instead=lambda: None)
    guards.stand(clock.ServiceClock, "now", instead=lambda self: self._clock.now())
    guards.stand(clock.ServiceClock, "stands", instead=property(lambda _self: False))
    guards.stand(Pulse, "beat", instead=nothing)
    guards.stand(Breakers, "tick", instead=nothing)
    guards.stand(Load, "end", instead=lambda *_: None)
    _watch_what_is_made(guards)


def _watch_what_is_made(guards: Guards) -> None:
    begin_edge, begin_load, look = Edge.__init__, Load.__init__, Load.look

    def edge(self: Edge, *given: Any, **named: Any) -> None:  # noqa: ANN401 -- as it is
        begin_edge(self, *given, **named)
        guards.guarded(self)

    def load(self: Load, *given: Any, **named: Any) -> None:  # noqa: ANN401 -- as it is
        begin_load(self, *given, **named)
        # Each has its own: a call asks them directly.
        guards.stand(self, "sheds", instead=lambda *_: False)
        guards.stand(self, "has_room", instead=lambda *_: True)
        guards.stand(self, "begin", instead=lambda *_: None)

    async def look_or_not(self: Load) -> int:
        guards.look()
        return await look(self) if guards.are_in else 0

    changes: dict[tuple[object, str], object] = {
        (stores, "passage"): lambda settings, lanes, *given, **named: Either(
            guards, passage(settings, lanes, *given, **named), lanes
        ),
        (standstill, "CreditedLanes"): lambda lanes, *given, **named: Either(
            guards, CreditedLanes(lanes, *given, **named), lanes
        ),
        (Edge, "__init__"): edge,
        (Load, "__init__"): load,
        (Load, "look"): look_or_not,
    }
    for (owner, name), by in changes.items():
        setattr(owner, name, by)


if __name__ == "__main__":
    all_guards = Guards()
    stand_guard(all_guards)
    signal.signal(GUARDS_OUT, all_guards.take_out)
    signal.signal(GUARDS_IN, all_guards.put_in)
    main()
