"""A crowd that stands in line for every seat there is, and asks again wherever it was put off, until all are sold."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from tests.cluster.evening import Cluster
from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.checkers import GRANTED, SOLD_OUT, TAKEN
from tests.e2e.harness.client import Client
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.until import until
from tests.e2e.harness.wire import ConnectionCutError

SALE_LOOKS = 48_000
"""Twenty minutes of looks: where others are at work on the machine a sale may take many times as long."""

REST_S = 0.25
POLL_S_MAX = 1.0
UNAVAILABLE = 503
ANSWERED = (GRANTED, TAKEN, SOLD_OUT)


class WrongAnswerError(Exception):
    """An answer that nothing that happened here explains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One thing that a buyer asked for, as often as she had to, and when she first asked and was answered."""

    what: str
    since: int
    until: int


class Rush:
    """
    Buyers, so many of them present at a time: each joins, waits, takes a seat that she believes free, and pays.

    *wrong* has what no buyer should have been told, *needs* what they asked for.
    """

    def __init__(self, cluster: Cluster, client: Client, room_id: str, *, buyers: int, present: int) -> None:
        """Know the seats, and nobody yet."""
        self._client = client
        self._buyers = cluster.fans(buyers, client, room_id)
        self._places = asyncio.Semaphore(present)
        self._show = cluster.show(room_id)
        self._free = list(self._show.seat_ids)
        self._chance = random.Random(2_000)
        self.sold = 0
        self.needs: list[Need] = []
        self.wrong: list[str] = []

    async def goes_on(self) -> None:
        """Return when everybody has a seat, or knows that there is none."""
        async with asyncio.TaskGroup() as group:
            for fan in self._buyers:
                group.create_task(self._one(fan))

    async def has_sold(self, count: int) -> None:
        """Return when so many seats are sold."""

        async def sold() -> int:
            return self.sold

        await until(sold, lambda now: now >= count, looks=SALE_LOOKS)

    async def _one(self, fan: Fan) -> None:
        async with self._places:
            try:
                await self._buys(fan)
            except WrongAnswerError as wrong:
                self.wrong.append(str(wrong))

    async def _buys(self, fan: Fan) -> None:
        key = f"join-{fan.buyer_id}" if fan.buyer_id % 2 else None
        await self._answered("join", partial(fan.join, key=key))
        if not await self._is_let_in(fan):
            return
        while self._free:
            seat_id = self._chance.choice(self._free)
            asks = partial(fan.reserve, self._show.schedule_id, seat_id, key=f"seat-{fan.buyer_id}-{seat_id}")
            held = await self._answered("reserve", asks)
            if seat_id in self._free:
                self._free.remove(seat_id)
            if held.ok:
                reservation_id = held.data["reservationId"]
                await self._answered("pay", partial(fan.pay, reservation_id, key=f"pay-{reservation_id}"))
                self.sold += 1
                return
        await self._answered("leave", fan.leave)

    async def _is_let_in(self, fan: Fan) -> bool:
        """Poll as one is told to, or sooner; leave the line once there is nothing to wait for."""
        while True:
            told = (await self._answered("check", fan.check)).data
            if told["status"] == "PROGRESS":
                return True
            if told["status"] != "WAITING":
                raise WrongAnswerError(f"number {fan.number} of {fan.buyer_id} waits, and is told {told}")
            if told.get("soldOut"):
                await self._answered("leave", fan.leave)
                return False
            await asyncio.sleep(min(told["pollAfterMs"] / 1_000, POLL_S_MAX))

    async def _answered(self, what: str, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the answer; ask again where there was none, or where it was that one should."""
        since = now_ms()
        while True:
            try:
                answer = await call()
            except (ConnectionCutError, OSError, TimeoutError):
                await asyncio.sleep(REST_S)
                continue
            # Also where the first one is still at work, which is what a key is answered that is sent again too soon.
            if answer.status != UNAVAILABLE and "retry-after" not in answer.headers:
                break
            await asyncio.sleep(REST_S)
        self.needs.append(Need(what=what, since=since, until=now_ms()))
        if answer.verdict not in ANSWERED:
            raise WrongAnswerError(str(answer))
        return answer
