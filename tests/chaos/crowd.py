"""Buyers who arrive at a constant rate, whether or not anybody is answered, and write down all that they are told."""

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from tests.chaos.house import ROOM, House
from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.client import Client
from tests.kill.journeys import GONE, Door, Fan, Journey, Request
from tests.kill.record import Entry, Lost, told_by

POLL_S = 1.5
"""Between two looks at her place, give or take a third."""

AGAIN_S_MAX = 5.0
"""Whoever is put off asks again after what she was told, but not later than this."""

TOO_LATE_S = 5.0
PAY, CHECK = "/concerts/payment", "/queue/token/check"


class Outcome(StrEnum):
    """What a buyer makes of an answer."""

    PAID = "paid"
    ANSWERED = "answered"
    REFUSED = "refused by rule"
    PUT_OFF = "put off (503)"
    FAILED = "failure"


class Seen(NamedTuple):
    """One request: when it began, in seconds of the sale, how long it took, and what came of it; status 0: nothing."""

    at_s: float
    took_s: float
    method: str
    path: str
    status: int

    @property
    def outcome(self) -> Outcome:
        """What it counts as. An answer that came too late to anybody is a failure, whatever it said."""
        if self.status == 0 or (self.status >= 500 and self.status != 503) or self.took_s > TOO_LATE_S:
            return Outcome.FAILED
        if self.status == 503:
            return Outcome.PUT_OFF
        if self.status != 200:
            return Outcome.REFUSED
        return Outcome.PAID if self.path == PAY else Outcome.ANSWERED

    @property
    def is_poll(self) -> bool:
        """Whether it asks how a place stands."""
        return self.path == CHECK

    @property
    def is_change(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET" and not self.is_poll


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How many buyers are there at the opening, and how many come a second from then on."""

    rush: int = 120
    arrivals: float = 8.0


@dataclass(slots=True)
class Crowd:
    """
    All buyers of one sale. *record* has every request and answer in their order, *seen* what each was worth.

    *late_s* is how late the crowd itself was at most: what a machine that stood still does to it is nobody's outage.
    """

    house: House
    seed: int
    record: list[Entry] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    clients: Sequence[Client] = ()
    opened_at: float = 0.0
    opened_at_ms: int = 0
    late_s: float = 0.0
    serials: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _lives: set[asyncio.Task[None]] = field(default_factory=set)
    _wrong: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Know both servers."""
        self.clients = [Client(server.port) for server in self.house.servers]

    def open(self) -> None:
        """Begin to count seconds."""
        self.opened_at, self.opened_at_ms = time.monotonic(), now_ms()

    @property
    def now_s(self) -> float:
        """How long the sale has been open."""
        return time.monotonic() - self.opened_at

    async def until(self, second: float) -> None:
        """Return at that second of the sale."""
        due_s = max(second, self.now_s)
        await asyncio.sleep(due_s - self.now_s if due_s > self.now_s else 0.0)
        self.late_s = max(self.late_s, self.now_s - due_s)

    async def come(self, rates: Rates, seconds: float) -> None:
        """Let buyers come for so many *seconds*."""
        numbers = itertools.count(1)
        for _ in range(rates.rush):
            self._arrive(next(numbers))
        for nth in itertools.count(1):
            await self.until(min(seconds, nth / rates.arrivals))
            if self.now_s >= seconds:
                return
            self._arrive(next(numbers))

    async def finish(self, seconds: float) -> None:
        """Wait so many *seconds* for those who are under way; the others give up. Raises what is wrong with one."""
        if self._lives:
            _, late = await asyncio.wait(self._lives, timeout=seconds)
            for life in late:
                life.cancel()
            if late:
                await asyncio.wait(late)
        for client in self.clients:
            client.hang_up()
        if self._wrong:
            raise BaseExceptionGroup("buyers who did not understand what they were told", self._wrong)

    def _arrive(self, buyer_id: int) -> None:
        chance = random.Random(f"{self.seed}/{buyer_id}")
        show = (self.house.show.schedule_id, self.house.show.seat_ids[0], len(self.house.show.seat_ids))
        fan = Fan(BuyersDoor(self, buyer_id, chance), buyer_id, ROOM.id, chance)
        life = asyncio.create_task(Journey(fan, show, chance).go())
        self._lives.add(life)
        life.add_done_callback(self._ended)

    def _ended(self, life: asyncio.Task[None]) -> None:
        self._lives.discard(life)
        if not life.cancelled() and (wrong := life.exception()) is not None:
            self._wrong.append(wrong)


class BuyersDoor(Door):
    """
    The servers as one buyer reaches them: for the line one and the same, for the rest either in turn.

    What a process knows of the line may be a moment old, so a buyer who saw
    her place by another one each time might see it go back.
    """

    generation = 1

    def __init__(self, crowd: Crowd, buyer_id: int, chance: random.Random) -> None:
        self._crowd = crowd
        self._chance = chance
        self._turns = itertools.count(buyer_id)
        self._home = buyer_id
        self._again_s = 0.0

    async def ask(self, request: Request) -> Answer:
        """Write the request down and send it, then write its answer down and return it. Raises one of `GONE`."""
        crowd = self._crowd
        asked = request.asked(next(crowd.serials))
        crowd.record.append(asked)
        began = time.monotonic()
        try:
            answer = await self._client(request).ask(
                request.method, request.path, body=request.body, token=request.token or None, key=request.key
            )
        except GONE:
            crowd.record.append(Lost(serial=asked.serial))
            self._note(request, began, 0)
            await asyncio.sleep(POLL_S)
            raise
        crowd.record.append(told_by(asked.serial, answer))
        self._note(request, began, answer.status)
        self._again_s = min(AGAIN_S_MAX, float(answer.headers.get("retry-after", 0)))
        return answer

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until she was told to ask again, and never less than it takes to look again."""
        patient = max(POLL_S, self._again_s) * self._chance.uniform(2 / 3, 4 / 3)
        self._again_s = 0.0
        await asyncio.sleep(max(seconds, patient))

    def _client(self, request: Request) -> Client:
        nth = self._home if request.path.startswith("/queue/") else next(self._turns)
        client = self._crowd.clients[nth % len(self._crowd.clients)]
        client.record.clear()
        return client

    def _note(self, request: Request, began: float, status: int) -> None:
        took_s = time.monotonic() - began
        path = request.path.rpartition("/")[0] if request.path[-1].isdigit() else request.path
        self._crowd.seen.append(Seen(began - self._crowd.opened_at, took_s, request.method, path, status))
