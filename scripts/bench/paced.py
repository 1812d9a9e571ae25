"""
Calls at a given rate, however long the answers take: what half of the peak feels like.

wrk asks again as soon as it is answered, so it cannot be told a rate. Here calls are due at even intervals and are sent
when they are due, as soon as one of 64 connections is free; how long an answer took is counted from when its call was
due. So a server that stalls is charged for everybody it kept waiting. The loop's clock ticks in milliseconds, and what
that adds is counted as well.
"""

import asyncio
import gc
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import cast

import uvloop

from scripts.bench import CONNECTIONS
from scripts.bench.cores import Cores, pinned

OK = 200
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_LATE_S_MAX = 30
"""How long after the last call was due its answer may come."""


class WrongAnswerError(Exception):
    """An answer was not 200 with the right body, or did not come."""


Answered = Callable[["Pacing", bytes], None]


@dataclass(frozen=True, slots=True)
class Ask:
    """
    One call: the whole request, a part that its answer has to contain, and under which *name* its time is kept.

    *then* is told the answer and may ask on.
    """

    name: str
    request: bytes
    right: bytes
    then: Answered | None = None


@dataclass(slots=True)
class Pacing:
    """
    Sends what is due, and keeps by name how many seconds each answer took.

    *wrong* is the first thing that is not as it has to be. *settled* while nothing is under way or something is wrong.
    """

    took_s: dict[str, list[float]] = field(default_factory=dict)
    under_way: int = 0
    wrong: str = ""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: "list[_Connection]" = field(default_factory=list)
    _waiting: deque[tuple[Ask, float]] = field(default_factory=deque)

    async def connect(self, port: int) -> None:
        """Open the connections."""
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port)
            self._idle.append(connection)

    def ask(self, ask: Ask, due: float) -> None:
        """Send *ask*, which was due at *due*, now or as soon as a connection is free."""
        self.under_way += 1
        self.settled.clear()
        if self._idle:
            self._idle.pop().send(ask, due)
        else:
            self._waiting.append((ask, due))

    def answered(self, connection: "_Connection", ask: Ask, due: float, answer: bytes) -> None:
        """Keep what came, let the connection go on, and let *ask* go on."""
        self.took_s.setdefault(ask.name, []).append(asyncio.get_running_loop().time() - due)
        self.under_way -= 1
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)
        if not answer.startswith(b"HTTP/1.1 200 ") or ask.right not in answer:
            self.wrong = self.wrong or f"{ask.name}: {answer[:500]!r}"
        elif ask.then is not None:
            ask.then(self, answer)
        if self.wrong or not self.under_way:
            self.settled.set()

    def close(self) -> None:
        """Close the connections that are idle."""
        for connection in self._idle:
            connection.close()


class _Connection(asyncio.Protocol):
    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self._transport: asyncio.Transport | None = None
        self._asked: tuple[Ask, float] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class

    def send(self, ask: Ask, due: float) -> None:
        assert self._transport is not None
        self._asked = ask, due
        self._transport.write(ask.request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(_HEAD_END)
        if not found:
            return
        _, _, rest = head.lower().partition(_LENGTH)
        if len(body) >= int(rest.split(b"\r\n", 1)[0] or 0):
            assert self._asked is not None
            answer, self._received = self._received, b""
            self._pacing.answered(self, *self._asked, answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pacing.wrong = self._pacing.wrong or f"a connection was lost: {exc}"
        self._pacing.settled.set()

    def close(self) -> None:
        assert self._transport is not None
        self._transport.abort()


def pace(asks: Iterator[Ask], *, port: int, rate: float, seconds: float, cores: Cores) -> dict[str, list[float]]:
    """
    Call *rate* times a second for so long, on the client's core; return by name how many seconds each answer took.

    Raises `WrongAnswerError`.
    """
    gc.collect()
    gc.disable()  # what the collector takes would be counted as the server's
    try:
        with pinned(cores.client), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_pace(asks, port=port, rate=rate, calls=int(rate * seconds)))
    finally:
        gc.enable()


async def _pace(asks: Iterator[Ask], *, port: int, rate: float, calls: int) -> dict[str, list[float]]:
    loop = asyncio.get_running_loop()
    pacing = Pacing()
    await pacing.connect(port)
    begun = loop.time()
    for nth in range(calls):
        due = begun + nth / rate
        if (early_s := due - loop.time()) > 0:
            await asyncio.sleep(early_s)
        if (ask := next(asks, None)) is None:
            raise WrongAnswerError("there is nothing left to ask for")
        pacing.ask(ask, due)
    try:
        async with asyncio.timeout(_LATE_S_MAX):
            await pacing.settled.wait()
    except TimeoutError:
        raise WrongAnswerError(f"{pacing.under_way} answers never came") from None
    wrong = pacing.wrong
    pacing.close()
    if wrong:
        raise WrongAnswerError(wrong)
    return pacing.took_s


def figures(took_s: list[float], *, rate: float) -> dict[str, float]:
    """Return what is written of so many answers at this *rate*."""
    ordered = sorted(took_s)
    return {
        "rate": round(rate, 1),
        "answers": len(ordered),
        "p50_ms": round(median(ordered) * 1e3, 3),
        "p99_ms": round(ordered[(len(ordered) * 99 - 1) // 100] * 1e3, 3),
        "max_ms": round(ordered[-1] * 1e3, 3),
    }
