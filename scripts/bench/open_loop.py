"""
Orders that come at a constant rate, whoever can keep up with them: what a crowd does that nobody slows down.

Each arrival is a buyer of her own who reserves a seat of her own and, once she has it, pays. She is sent when she is
due, on a connection of her own if need be, and waits 5 seconds for an answer. What the driver itself could not do in
time is told beside what came of it.
"""

import asyncio
import math
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

from scripts.bench.cores import Cores, driving
from scripts.bench.orders import Errand
from scripts.bench.paced import Ask

ANSWER_S_MAX = 5.0
CONNECTIONS_MAX = 8_000
AT_FIRST = 256
TICK_S = 0.001
SWEEP_S = 0.1

OK, UNAVAILABLE, SERVER_ERRORS = 200, 503, 500
NO_ANSWER, RESET = "no answer in 5 s", "connection lost"
NO_CONNECTION = b"the driver had no connection left"

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_RESERVATION = re.compile(rb'"reservationId":(\d+)')

Told = Callable[[int, bytes, float], None]
"""Is told the status (0 for none), the whole answer or why there is none, and the seconds it took."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """
    What became of those who came, and how the driver fared.

    *paid* counts for *seconds*, after a warm-up of *warm_up_s*; all else, from the first arrival on. *unsent* came
    while all connections that the driver may have were waiting, so that nobody was asked for them.
    """

    seconds: float
    warm_up_s: float = 0.0
    came: int = 0
    unsent: int = 0
    paid: int = 0
    refused: int = 0
    refused_to_pay: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    took_s: dict[str, list[float]] = field(default_factory=dict)
    late_s: list[float] = field(default_factory=list)
    driver_share: float = 0.0

    @property
    def paid_per_second(self) -> float:
        """Orders paid while the crowd was coming, after the warm-up, a second."""
        return self.paid / self.seconds

    @property
    def came_per_second(self) -> float:
        """Arrivals a second."""
        return self.came / (self.warm_up_s + self.seconds)

    @property
    def failed_share(self) -> float:
        """The part of the arrivals that failed."""
        return self.failed.total() / max(1, self.came)

    def p99_s(self, name: str) -> float:
        """Return the time within which 99 of 100 answers of that name came; 0 where there is none."""
        return p99(self.took_s.get(name, []))

    def add(self, name: str, seconds: float) -> None:
        """Keep how long an answer took."""
        self.took_s.setdefault(name, []).append(seconds)


def p99(seconds: list[float]) -> float:
    """Return the time within which 99 of 100 came."""
    ordered = sorted(seconds)
    return ordered[(len(ordered) * 99 - 1) // 100] if ordered else 0.0


class _Line(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, lines: "_Lines") -> None:
        self._lines = lines
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._told: Told | None = None
        self.asked_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class

    def ask(self, request: bytes, told: Told, due: float) -> None:
        """Send *request*, which was due at *due*."""
        assert self._transport is not None
        self._told, self.asked_at = told, due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(_HEAD_END)
        if not found:
            return
        _, _, rest = head.lower().partition(_LENGTH)
        if len(body) < int(rest.split(b"\r\n", 1)[0] or 0):
            return
        answer, self._received = self._received, b""
        told, self._told = self._told, None
        self._lines.is_free(self)
        if told is not None:
            told(int(answer[9:12]), answer, asyncio.get_running_loop().time() - self.asked_at)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's form
        self._lines.is_gone(self)
        self._fail(RESET)

    def give_up(self) -> None:
        """Hang up on an answer that does not come."""
        self._fail(NO_ANSWER)
        self.close()

    def close(self) -> None:
        """Hang up."""
        assert self._transport is not None
        self._transport.abort()

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is still to come."""
        return self._told is not None

    def _fail(self, why: str) -> None:
        told, self._told = self._told, None
        if told is not None:
            told(0, why.encode(), asyncio.get_running_loop().time() - self.asked_at)


class _Lines:
    """As many connections as it takes, up to a limit; whoever waits too long hangs up."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[_Line] = []
        self._asking: deque[tuple[float, _Line]] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self.open = 0

    async def prepare(self, connections: int) -> None:
        """Open so many before anybody comes."""
        for _ in range(connections):
            self._free.append(await self._connected())

    def ask(self, request: bytes, told: Told, due: float) -> None:
        """Send *request* on a free connection, or on a new one."""
        if self._free:
            self._send(self._free.pop(), request, told, due)
        elif self.open >= CONNECTIONS_MAX:
            told(0, NO_CONNECTION, 0.0)
        else:
            task = asyncio.get_running_loop().create_task(self._ask_anew(request, told, due))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def is_free(self, line: _Line) -> None:
        """Take back a connection whose answer has come."""
        self._free.append(line)

    def is_gone(self, line: _Line) -> None:
        """Forget a connection that is closed."""
        self.open -= 1
        if line in self._free:
            self._free.remove(line)

    def sweep(self) -> None:
        """Hang up on answers that are too late."""
        now = asyncio.get_running_loop().time()
        while self._asking and self._asking[0][0] + ANSWER_S_MAX <= now:
            asked_at, line = self._asking.popleft()
            if line.is_waiting and line.asked_at == asked_at:
                line.give_up()

    def close(self) -> None:
        """Close what is free."""
        for line in list(self._free):
            line.close()

    async def _ask_anew(self, request: bytes, told: Told, due: float) -> None:
        try:
            line = await self._connected()
        except OSError:
            told(0, RESET.encode(), 0.0)
            return
        self._send(line, request, told, due)

    async def _connected(self) -> _Line:
        self.open += 1
        try:
            _, line = await asyncio.get_running_loop().create_connection(lambda: _Line(self), "127.0.0.1", self._port)
        except OSError:
            self.open -= 1
            raise
        return line

    def _send(self, line: _Line, request: bytes, told: Told, due: float) -> None:
        line.ask(request, told, due)
        self._asking.append((due, line))


class Crowd:
    """Buyers with an errand each. Who is refused comes again later, as somebody else would."""

    def __init__(self, errands: deque[Errand]) -> None:
        """Take *errands* as they are needed, and put back those that came to nothing."""
        self._errands = errands
        self._tally = Tally(seconds=0)
        self._under_way = 0
        self._counts_from = math.inf
        self._then: Callable[[], None] = lambda: None

    @property
    def size(self) -> int:
        """How many there are who have not bought, and are not about to."""
        return len(self._errands)

    def come(self, port: int, *, rate: float, seconds: float, cores: Cores, warm_up_s: float = 0.0) -> Tally:
        """Let *rate* arrivals a second come for *warm_up_s* and then for so long, on the client's core."""
        return _run(self._come(port, rate=rate, seconds=seconds, warm_up_s=warm_up_s), cores)

    def queue(self, port: int, *, at_once: int, seconds: float, cores: Cores) -> Tally:
        """Let so many buy at once, each as soon as another one has: as much as can be sold."""
        return _run(self._queue(port, at_once=at_once, seconds=seconds), cores)

    async def _come(self, port: int, *, rate: float, seconds: float, warm_up_s: float) -> Tally:
        async def coming(lines: _Lines, begun: float) -> None:
            loop, nth, all_of_them = asyncio.get_running_loop(), 0, int(rate * (warm_up_s + seconds))
            while nth < all_of_them:
                now = loop.time()
                while nth < all_of_them and (due := begun + nth / rate) <= now:
                    self._tally.late_s.append(now - due)
                    self._arrive(lines, due)
                    nth += 1
                await asyncio.sleep(TICK_S)

        return await self._all(port, Tally(seconds=seconds, warm_up_s=warm_up_s), coming)

    async def _queue(self, port: int, *, at_once: int, seconds: float) -> Tally:
        async def coming(lines: _Lines, begun: float) -> None:
            loop = asyncio.get_running_loop()

            def next_one() -> None:
                if loop.time() < begun + seconds:
                    self._arrive(lines, loop.time())

            self._then = next_one
            for _ in range(at_once):
                next_one()
            await asyncio.sleep(seconds)

        return await self._all(port, Tally(seconds=seconds), coming)

    async def _all(self, port: int, tally: Tally, coming: "Coming") -> Tally:
        self._tally, self._then = tally, lambda: None
        lines, loop = _Lines(port), asyncio.get_running_loop()
        await lines.prepare(AT_FIRST)
        sweeping = loop.create_task(_swept(lines))
        begun, used_s = loop.time(), time.process_time()
        self._counts_from = begun + tally.warm_up_s
        await coming(lines, begun)
        tally.driver_share = (time.process_time() - used_s) / (loop.time() - begun)
        # What is sold after the last one has come is no sale at this rate.
        self._counts_from = math.inf
        while self._under_way:  # noqa: ASYNC110 -- nobody waits for less than a look
            await asyncio.sleep(SWEEP_S)
        sweeping.cancel()
        lines.close()
        return tally

    def _arrive(self, lines: _Lines, due: float) -> None:
        self._tally.came += 1
        self._under_way += 1
        errand = self._errands.popleft()

        def reserved(status: int, answer: bytes, took_s: float) -> None:
            found = _RESERVATION.search(answer)
            if status == OK and found is not None:
                self._tally.add("reserve", took_s)
                paying = errand.payment(int(found[1]))
                lines.ask(paying.request, paid, asyncio.get_running_loop().time())
                return
            if status == UNAVAILABLE:
                self._tally.refused += 1
                self._tally.add("put off", took_s)
                self._errands.append(errand)
            else:
                self._fail(status, answer)
            self._over()

        def paid(status: int, answer: bytes, took_s: float) -> None:
            if status == OK:
                self._tally.paid += asyncio.get_running_loop().time() >= self._counts_from
                self._tally.add("pay", took_s)
            elif status == UNAVAILABLE:
                self._tally.refused_to_pay += 1
            else:
                self._fail(status, answer)
            self._over()

        asking: Ask = errand.reserve()
        lines.ask(asking.request, reserved, due)

    def _fail(self, status: int, answer: bytes) -> None:
        if answer == NO_CONNECTION:
            self._tally.unsent += 1
            return
        self._tally.failed[f"status {status}" if status else answer.decode()] += 1

    def _over(self) -> None:
        self._under_way -= 1
        self._then()


Coming = Callable[[_Lines, float], Coroutine[Any, Any, None]]


async def _swept(lines: _Lines) -> None:
    while True:
        await asyncio.sleep(SWEEP_S)
        lines.sweep()


def _run(work: Coroutine[Any, Any, Tally], cores: Cores) -> Tally:
    with driving(cores), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
