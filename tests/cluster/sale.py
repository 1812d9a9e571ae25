"""A sale that goes on while something happens to the cluster it goes on in."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from tests.cluster.evening import Cluster
from tests.e2e.harness.answers import Answer
from tests.e2e.harness.client import Client
from tests.e2e.harness.until import until
from tests.e2e.harness.wire import ConnectionCutError

BUYERS_AT_ONCE = 6
LOOKS = 2_400
REST_S = 0.05


class Sale:
    """Buyers who come one after another, each for a seat of her own, until the story is over."""

    def __init__(self, cluster: Cluster, client: Client, room_id: str) -> None:
        """Sell in the room."""
        self._cluster = cluster
        self._client = client
        self._room_id = room_id
        self._show = cluster.show(room_id)
        self._seats: Iterator[int] = iter(self._show.seat_ids)
        self._over = asyncio.Event()
        self.sold = 0

    async def goes_on(self) -> None:
        """Sell until told to end."""
        async with asyncio.TaskGroup() as group:
            for _ in range(BUYERS_AT_ONCE):
                group.create_task(self._buy())

    async def has_sold(self, more: int) -> None:
        """Return when so many more seats are sold."""
        wanted = self.sold + more

        async def sold() -> int:
            return self.sold

        await until(sold, lambda now: now >= wanted, looks=LOOKS)

    def end(self) -> None:
        """Let everybody finish."""
        self._over.set()

    async def _buy(self) -> None:
        while not self._over.is_set():
            [fan] = self._cluster.fans(1, self._client, self._room_id)
            seat_id = next(self._seats)
            # Whoever is cut off by a death asks again with the same key: that is what keys are for.
            await self._granted(partial(fan.join, key=f"join-{seat_id}"))
            await until(
                partial(self._granted, fan.check), lambda answer: answer.data["status"] == "PROGRESS", looks=LOOKS
            )
            held = await self._granted(partial(fan.reserve, self._show.schedule_id, seat_id, key=f"seat-{seat_id}"))
            await self._granted(partial(fan.pay, held.data["reservationId"], key=f"pay-{seat_id}"))
            self.sold += 1

    async def _granted(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the answer, which has to be a good one; ask again where there was none."""
        while True:
            try:
                answer = await call()
            except (ConnectionCutError, OSError, TimeoutError):
                await asyncio.sleep(REST_S)
                continue
            assert answer.ok, str(answer)
            return answer
