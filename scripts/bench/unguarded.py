"""
The server without its guards, started as `python -m stagedoor` is: what they cost is what it saves.

Nobody should serve with it. Taken out are the breakers before calls and transactions, deadlines, bulkheads, the
shedding of load, and the watch over the time in which nobody can buy, with its sign of life ten times a second. What
is kept is what a server without them would have as well: batches, durable commits, limits of requests.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from stagedoor.__main__ import main
from stagedoor.adapters import batching
from stagedoor.bootstrap import standstill, stores
from stagedoor.http import edge, turn, under_way
from stagedoor.http.answer import Answer
from stagedoor.http.call import Call
from stagedoor.http.load import Load
from stagedoor.http.problems import answer_to
from stagedoor.http.under_way import Work
from stagedoor.kernel import clock
from stagedoor.kernel.errors import Rejection
from stagedoor.resilience.breakers import Breakers
from stagedoor.resilience.concurrency_limit import ConcurrencyLimit
from stagedoor.resilience.lag_level import LagLevel
from stagedoor.workers.pulse import Pulse


async def nothing(*_: object, **__: object) -> int:
    """Be done."""
    return 0


async def work_alone(_self: object, work: Work[Any], **_: object) -> Any:  # noqa: ANN401 -- as it is
    """Do a call of the sale: in its caller's own task, told to no breaker."""
    outcome = await work()
    if isinstance(outcome, Rejection):
        raise outcome
    return outcome


async def without_end(_self: object, call: Call, work: Any, **_: object) -> Answer[Any]:  # noqa: ANN401 -- as it is
    """Do a call, however long it takes."""
    try:
        return cast("Answer[Any]", await work())
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is told as what it is
        return answer_to(error, call)


@asynccontextmanager
async def for_ever(_self: object) -> AsyncIterator[None]:
    """Let what is done inside take as long as it takes."""
    yield


def replace(owner: object, name: str, by: object) -> None:
    """Put *by* in the place of what *owner* has by this *name*; there has to be something."""
    assert hasattr(owner, name)
    setattr(owner, name, by)


def take_the_guards_out() -> None:
    """Do it for this process."""
    replace(under_way.UnderWay, "settle", work_alone)
    replace(edge.Edge, "awaited", without_end)
    replace(turn.Turn, "in_time", for_ever)
    replace(batching, "current", lambda: None)
    replace(stores, "passage", lambda _settings, lanes, *_, **__: lanes)
    replace(standstill, "CreditedLanes", lambda lanes, _clock_stop, **_: lanes)
    replace(clock.ServiceClock, "now", lambda self: self._clock.now())
    replace(clock.ServiceClock, "stands", property(lambda _self: False))
    replace(Pulse, "beat", nothing)
    replace(Breakers, "tick", nothing)
    replace(LagLevel, "sheds", lambda *_: False)
    replace(ConcurrencyLimit, "has_room", lambda *_: True)
    replace(ConcurrencyLimit, "begin", lambda *_: None)
    replace(Load, "end", lambda *_: None)
    replace(Load, "look", nothing)


if __name__ == "__main__":
    take_the_guards_out()
    main()
