"""One buyer at the API: she keeps her token and knows the calls by name."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jwt

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.client import Client
from tests.e2e.harness.until import until

LOOKS_UNTIL_INSIDE = 2_400
"""A line that is led by a process which reads late lets in once a second."""


@dataclass(slots=True, kw_only=True)
class Fan:
    """Buyer *buyer_id* in *room_id*; *token* is what her last join gave her."""

    client: Client
    buyer_id: int
    room_id: str
    token: str = ""

    @property
    def number(self) -> int:
        """The queue number in her token."""
        said: int = jwt.decode(self.token, options={"verify_signature": False})["num"]
        return said

    def at(self, client: Client) -> "Fan":
        """Return the same buyer with the same token, asking by another client."""
        return replace(self, client=client)

    async def join(self, *, key: str | None = None) -> Answer:
        """Ask for a place and keep its token."""
        asked = {"userId": self.buyer_id, "room": self.room_id}
        answer = await self.client.ask("POST", "/queue/token", body=asked, key=key, buyer_id=self.buyer_id)
        if answer.ok:
            self.token = answer.data["queueToken"]
        return answer

    async def check(self) -> Answer:
        """Ask how the place stands."""
        return await self._call("POST", "/queue/token/check")

    async def enter(self) -> Answer:
        """Join, and poll until admitted."""
        joined = await self.join()
        assert joined.ok, str(joined)
        return await self.admitted()

    async def enter_anew(self) -> Answer:
        """Join until the place is another than the last one, which is over, and poll until admitted."""
        last = self.number
        await until(self.join, lambda _: self.number != last)
        return await self.admitted()

    async def admitted(self) -> Answer:
        """Poll until admitted."""
        return await until(self.check, lambda answer: answer.data["status"] == "PROGRESS", looks=LOOKS_UNTIL_INSIDE)

    async def leave(self, *, key: str | None = None) -> Answer:
        """Leave the line."""
        return await self._call("DELETE", "/queue/token", key=key)

    async def schedule(self, *, query: str = "") -> Answer:
        """Read what is still to come in the room."""
        return await self._call("GET", f"/concerts/schedule{query}")

    async def seats(self, schedule_id: int, *, query: str = "") -> Answer:
        """Read the free seats."""
        return await self._call("GET", f"/concerts/seat?scheduleId={schedule_id}{query}")

    async def reserve(self, schedule_id: int, *seat_ids: int, key: str | None = None) -> Answer:
        """Ask for one seat by `seatId`, for several by `seatIds`."""
        return await self._call("POST", "/concerts/reserve", body=wanted(schedule_id, *seat_ids), key=key)

    async def pay(self, reservation_id: int, *, key: str | None = None) -> Answer:
        """Pay for a reservation."""
        return await self._call("POST", "/concerts/payment", body={"reservationId": reservation_id}, key=key)

    async def release(self, reservation_id: int, *, key: str | None = None) -> Answer:
        """Let a reservation go."""
        return await self._call("DELETE", f"/concerts/reserve/{reservation_id}", key=key)

    async def charge(self, amount: object, *, key: str | None = None) -> Answer:
        """Put money into the wallet."""
        return await self._call("POST", "/user/amount", body={"amount": amount}, key=key)

    async def balance(self) -> int:
        """Read the wallet's balance."""
        answer = await self._call("GET", "/user/amount")
        assert answer.ok, str(answer)
        amount: int = answer.data["amount"]
        return amount

    async def mine(self, what: str) -> list[dict[str, Any]]:
        """Read her own reservations, orders or ledger."""
        answer = await self._call("GET", f"/user/{what}")
        assert answer.ok, str(answer)
        return answer.rows

    async def _call(self, method: str, path: str, *, body: object = None, key: str | None = None) -> Answer:
        return await self.client.ask(method, path, body=body, token=self.token, key=key, buyer_id=self.buyer_id)


def waits(answer: Answer) -> bool:
    """Whether the answer says that she still waits."""
    return bool(answer.data["status"] == "WAITING")


def wanted(schedule_id: int, *seat_ids: int) -> dict[str, object]:
    """Return the body of a reservation, spelled the way the number of seats asks for."""
    if len(seat_ids) == 1:
        return {"scheduleId": schedule_id, "seatId": seat_ids[0]}
    return {"scheduleId": schedule_id, "seatIds": list(seat_ids)}


async def let_in(fans: Iterable[Fan]) -> Sequence[Answer]:
    """Let all of them join at once and return when all are admitted."""
    return await asyncio.gather(*(fan.enter() for fan in fans))
