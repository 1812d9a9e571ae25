"""What a fan does, as chance has it: she joins, waits, charges, holds, and then pays, lets go, leaves or dawdles."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jwt

from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.fan import wanted
from tests.e2e.harness.promises import instant
from tests.e2e.harness.wire import ConnectionCutError
from tests.kill.record import Asked

GONE = (ConnectionCutError, OSError, TimeoutError)
"""What asking raises when there was no answer."""

JOURNEYS = 2
TRIES = 3
POLL_SECONDS = 0.03
BUYERS_MAX = 4_000
"""Buyers a process."""

WINDOW = 40
SEATS_A_BUYER = 2
"""A buyer looks at so many seats at once, from a place that moves on with her number: so they are fought over."""

SHARE_KEYED = 0.6
SHARE_ASKED_AGAIN = 0.5
KEYED, MAYBE_KEYED = 1.0, SHARE_KEYED


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked, for whom; *number* is that of the place whose *token* she shows."""

    method: str
    path: str
    body: Any
    key: str | None
    buyer_id: int
    room_id: str
    number: int
    token: str

    def asked(self, serial: int) -> Asked:
        """Return what is written down of it right before it is sent."""
        return Asked(
            serial=serial,
            method=self.method,
            path=self.path,
            body=self.body,
            buyer_id=self.buyer_id,
            room_id=self.room_id,
            number=self.number,
            key=self.key,
            sent_at=now_ms(),
        )


class Door(Protocol):
    """Where fans ask; *generation* counts the servers there have been."""

    generation: int

    async def ask(self, request: Request) -> Answer:
        """Send the request, once there is a server, and return its answer. Raises one of `GONE`."""
        ...

    async def pause(self, seconds: float) -> None:
        """Wait so long, and then until there is a server."""
        ...


async def live(door: Door, buyers: Iterator[int], shows: Mapping[str, Sequence[int]], chance: random.Random) -> None:
    """Be one buyer after the other; *shows* has each room's `[schedule id, first seat's id, number of seats]`."""
    for buyer_id in buyers:
        room_id = chance.choice(sorted(shows))
        fan = Fan(door, buyer_id, room_id, chance)
        for _ in range(JOURNEYS):
            await Journey(fan, shows[room_id], chance).go()


class Fan:
    """One buyer in one room. She asks until she knows what became of her request."""

    def __init__(self, door: Door, buyer_id: int, room_id: str, chance: random.Random) -> None:
        self._door = door
        self._chance = chance
        self._keys = 0
        self._last_keyed: Request | None = None
        self._asked_in = 0
        self.buyer_id = buyer_id
        self.room_id = room_id
        self.token = ""
        self.number = 0

    def take(self, token: str) -> None:
        """Keep *token*; nothing is that of no place."""
        self.token = token
        self.number = jwt.decode(token, options={"verify_signature": False})["num"] if token else 0

    async def ask(self, method: str, path: str, *, body: object = None, keyed: float = 0.0) -> Answer:
        """Ask, with that chance of a key, and after a lost answer the same again."""
        key = None
        if self._chance.random() < keyed:
            self._keys += 1
            key = f"{self.buyer_id}-{self._keys}"
        request = Request(
            method=method,
            path=path,
            body=body,
            key=key,
            buyer_id=self.buyer_id,
            room_id=self.room_id,
            number=self.number,
            token=self.token,
        )
        answer = await self._answered(request)
        if key is not None and answer.ok:
            self._last_keyed = request
        return answer

    async def wait(self, seconds: float) -> None:
        """Do nothing for so long."""
        await self._door.pause(seconds)

    async def _answered(self, request: Request) -> Answer:
        while True:
            try:
                await self._ask_the_last_again()
                answer = await self._door.ask(request)
            except GONE:
                continue
            if answer.status < 500 and "retry-after" not in answer.headers:
                return answer
            await self._door.pause(POLL_SECONDS)

    async def _ask_the_last_again(self) -> None:
        """After a restart, ask again what was answered before it: the first answer has to come again."""
        before, self._asked_in = self._asked_in, self._door.generation
        is_first = before not in {0, self._asked_in}
        if is_first and self._last_keyed is not None and self._chance.random() < SHARE_ASKED_AGAIN:
            await self._door.ask(self._last_keyed)


class Journey:
    """One way through the room."""

    def __init__(self, fan: Fan, show: Sequence[int], chance: random.Random) -> None:
        self._fan = fan
        self._schedule_id, self._first_seat, self._seats = show
        self._chance = chance

    async def go(self) -> None:
        """Go all the way."""
        if not await self._enter():
            return
        if self._happens(0.4):
            amount = self._chance.randrange(1, 90_001)
            await self._fan.ask("POST", "/user/amount", body={"amount": amount}, keyed=KEYED)
        if self._happens(0.2):
            await self._fan.ask("GET", "/user/amount")
        held = await self._hold()
        fate = self._chance.choices(("pay", "let go", "dawdle", "leave"), (60, 16, 12, 12))[0]
        if held is None or fate == "leave":
            await self._leave()
        elif fate == "pay":
            await self._pay(held)
        elif fate == "let go":
            await self._let_go(held)
        else:
            await self._dawdle(held)

    async def _enter(self) -> bool:
        self._fan.take("")  # a new place is asked for without the token of the old one
        asked = {"userId": self._fan.buyer_id, "room": self._fan.room_id}
        joined = await self._fan.ask("POST", "/queue/token", body=asked, keyed=MAYBE_KEYED)
        if not joined.ok:
            return False
        self._fan.take(joined.data["queueToken"])
        while True:
            stands = await self._fan.ask("POST", "/queue/token/check")
            if not stands.ok or stands.data["status"] != "WAITING":
                return stands.ok and stands.data["status"] == "PROGRESS"
            if self._happens(0.01):
                await self._leave()
                return False
            await self._fan.wait(POLL_SECONDS)

    async def _hold(self) -> Answer | None:
        for _ in range(TRIES):
            start = min(self._fan.buyer_id % BUYERS_MAX * SEATS_A_BUYER, self._seats - WINDOW)
            some = self._chance.sample(range(start, start + WINDOW), 2 if self._happens(0.2) else 1)
            body = wanted(self._schedule_id, *(self._first_seat + seat for seat in some))
            held = await self._fan.ask("POST", "/concerts/reserve", body=body, keyed=MAYBE_KEYED)
            if held.ok:
                return held
            if held.code != "004":
                return None
        return None

    async def _pay(self, held: Answer) -> None:
        body = {"reservationId": held.data["reservationId"]}
        paid = await self._fan.ask("POST", "/concerts/payment", body=body, keyed=MAYBE_KEYED)
        if self._happens(0.3):
            await self._fan.ask("POST", "/queue/token/check")
        if not paid.ok:
            await self._leave()

    async def _let_go(self, held: Answer) -> None:
        await self._fan.ask("DELETE", f"/concerts/reserve/{held.data['reservationId']}", keyed=MAYBE_KEYED)
        other = await self._hold() if self._happens(0.5) else None
        await (self._leave() if other is None else self._pay(other))

    async def _dawdle(self, held: Answer) -> None:
        """Wait until shortly before the deadline, or a little longer, and then try to pay."""
        spare_ms = self._chance.randrange(-200, 2_000)
        pay_at = instant(held.data["reservedUntilAt"]) - spare_ms
        await self._fan.wait(max(0.0, (pay_at - now_ms()) / 1_000))
        await self._pay(held)

    async def _leave(self) -> None:
        await self._fan.ask("DELETE", "/queue/token", keyed=MAYBE_KEYED)

    def _happens(self, share: float) -> bool:
        return self._chance.random() < share
