"""A crowd that calls at a constant rate, whether or not it is answered: an outage must not make it polite."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field
from enum import Enum, auto
from typing import NamedTuple, Self

import msgspec

from scripts.breaker_demo.caller import Caller
from scripts.breaker_demo.house import House

API = "/v1/api"


class Group(Enum):
    """What a call needs: the sale's writes, the line's writes, or nothing that is stalled."""

    SALE = auto()
    LINE = auto()
    UNTOUCHED = auto()


class Kind(Enum):
    """One kind of call."""

    RESERVE = Group.SALE, "POST", "/concerts/reserve"
    PAY = Group.SALE, "POST", "/concerts/payment"
    CHARGE = Group.SALE, "POST", "/user/amount"
    JOIN = Group.LINE, "POST", "/queue/token"
    POLL = Group.UNTOUCHED, "POST", "/queue/token/check"
    SCHEDULE = Group.UNTOUCHED, "GET", "/concerts/schedule"
    SEATS = Group.UNTOUCHED, "GET", "/concerts/seat"

    def __init__(self, group: Group, method: str, path: str) -> None:
        self.group = group
        self.method = method
        self.path = path


JOINS_AT_ONCE = 50
OK = 200


class Answered(NamedTuple):
    """One call: what it was, when it was made and how long it took, in seconds, and its status (0: no answer)."""

    kind: Kind
    began: float
    took: float
    status: int

    @property
    def group(self) -> Group:
        """What it needed."""
        return self.kind.group

    @property
    def is_good(self) -> bool:
        """Whether it got what it wanted."""
        return self.status == OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How many calls of a kind begin in a second; each reserve that went well is followed by a payment."""

    reserve: float = 15.0
    charge: float = 15.0
    join: float = 30.0
    poll: float = 60.0
    schedule: float = 15.0
    seats: float = 5.0

    def times(self, factor: float) -> Self:
        """Return the rates that are *factor* times as high."""
        return type(self)(**{name: factor * rate for name, rate in asdict(self).items()})


@dataclass(slots=True)
class Crowd:
    """Buyers of one house. *inside* have tokens and are admitted; *answers* is all that was ever answered."""

    house: House
    caller: Caller
    rates: Rates
    answers: list[Answered] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    _calls: set[asyncio.Task[None]] = field(default_factory=set)
    _next_newcomer: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _next_buyer: Iterator[int] = field(default_factory=itertools.count)
    _next_payer: Iterator[int] = field(default_factory=itertools.count)

    async def enter(self, buyers: int) -> None:
        """Let so many *buyers* join and be admitted."""
        gate = asyncio.Semaphore(JOINS_AT_ONCE)

        async def join(member: int) -> str:
            async with gate:
                reply = await self.caller.call("POST", f"{API}/queue/token", body=b'{"userId":%d}' % member)
                token: str = msgspec.json.decode(reply.body)["data"]["queueToken"]
                return token

        self.inside = await asyncio.gather(*(join(next(self._next_newcomer)) for _ in range(buyers)))
        while True:
            reply = await self.caller.call("POST", f"{API}/queue/token/check", token=self.inside[-1])
            if msgspec.json.decode(reply.body)["data"]["status"] == "PROGRESS":
                return
            await asyncio.sleep(0.05)

    async def call_until(self, stopped: asyncio.Event) -> None:
        """Call at the crowd's rates until *stopped*, then until every call has ended."""
        kinds: dict[Callable[[], Awaitable[None]], float] = {
            self._buy: self.rates.reserve,
            self._charge: self.rates.charge,
            self._join: self.rates.join,
            self._poll: self.rates.poll,
            self._schedule: self.rates.schedule,
            self._seats: self.rates.seats,
        }
        await asyncio.gather(*(self._at_a_rate(kind, rate, stopped) for kind, rate in kinds.items()))
        if self._calls:
            await asyncio.wait(self._calls)

    async def _at_a_rate(self, kind: Callable[[], Awaitable[None]], rate: float, stopped: asyncio.Event) -> None:
        began = time.monotonic()
        for nth in itertools.count(1):
            await asyncio.sleep(max(0.0, began + nth / rate - time.monotonic()))
            if stopped.is_set():
                return
            task = asyncio.ensure_future(kind())
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _ask(self, call: Kind, path: str = "", *, token: str = "", body: bytes = b"") -> bytes:
        began = time.monotonic()
        reply = await self.caller.call(call.method, API + call.path + path, token=token, body=body)
        self.answers.append(Answered(call, began, time.monotonic() - began, reply.status))
        return reply.body if reply.status == OK else b""

    async def _buy(self) -> None:
        nth = next(self._next_buyer)
        token, seat_id = self.inside[nth % len(self.inside)], self.house.first_seat_id + nth
        wanted = msgspec.json.encode({"scheduleId": self.house.performance_id, "seatId": seat_id})
        held = await self._ask(Kind.RESERVE, token=token, body=wanted)
        if held:
            hers = msgspec.json.encode({"reservationId": msgspec.json.decode(held)["data"]["reservationId"]})
            await self._ask(Kind.PAY, token=token, body=hers)

    async def _charge(self) -> None:
        buyer = 1 + next(self._next_payer) % len(self.inside)
        await self._ask(Kind.CHARGE, body=b'{"userId":%d,"amount":1}' % buyer)

    async def _join(self) -> None:
        await self._ask(Kind.JOIN, body=b'{"userId":%d}' % next(self._next_newcomer))

    async def _poll(self) -> None:
        await self._ask(Kind.POLL, token=self._somebody())

    async def _schedule(self) -> None:
        await self._ask(Kind.SCHEDULE, token=self._somebody())

    async def _seats(self) -> None:
        await self._ask(Kind.SEATS, f"?scheduleId={self.house.performance_id}", token=self._somebody())

    def _somebody(self) -> str:
        # From the end: those at the beginning buy, and whoever has bought is no longer inside.
        return self.inside[-1 - len(self.answers) % 50]
