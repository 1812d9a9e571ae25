"""Orders: each by a buyer of her own, for a seat of its own, reserved and then paid for."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.calls import API, HERE, Request, measured
from scripts.bench.cores import Cores
from scripts.bench.paced import Answered, Ask, Pacing
from scripts.bench.served import Served
from scripts.bench.wrk import Round

RESERVE, PAY = "reserve", "pay"
RESERVED, PAID = b'"seatStatus":"TEMP_RESERVED"', b'"seatStatus":"RESERVED"'
_RESERVATION = re.compile(rb'"reservationId":(\d+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What one buyer is about to buy."""

    token: str
    performance_id: int
    seat_id: int

    def __str__(self) -> str:
        """Write it as orders.lua reads it."""
        return f"{self.token} {self.performance_id} {self.seat_id}\n"

    def reserve(self) -> Ask:
        """Return the first call; its answer leads to the second."""
        body = b'{"scheduleId":%d,"seatId":%d}' % (self.performance_id, self.seat_id)
        return self._ask(RESERVE, "/concerts/reserve", body, RESERVED, then=self._pay)

    def payment(self, reservation_id: int) -> Ask:
        """Return the second call."""
        return self._ask(PAY, "/concerts/payment", b'{"reservationId":%d}' % reservation_id, PAID)

    def _pay(self, pacing: Pacing, answer: bytes) -> None:
        found = _RESERVATION.search(answer)
        pacing.ask(self.payment(int(found[1]) if found else 0), asyncio.get_running_loop().time())

    def _ask(self, name: str, path: str, body: bytes, right: bytes, *, then: Answered | None = None) -> Ask:
        request = Request(method="POST", path=f"{API}{path}", headers={"Authorization": self.token}, body=body)
        return Ask(name, request.encode(), right, then)


@dataclass(slots=True, kw_only=True)
class Orders:
    """
    Buys as fast as it goes, a seat after another.

    A round goes on where the last one stopped.
    """

    name: str
    server: Served
    cores: Cores
    folder: Path
    errands: Sequence[Errand]
    _next: int = 0

    def __post_init__(self) -> None:
        """Write down what is to be bought."""
        self._written.write_text("".join(map(str, self.errands)), encoding="ascii")

    @property
    def _written(self) -> Path:
        return self.folder / "orders"

    def round(self, seconds: int) -> Round:
        """Buy for so long."""
        script = HERE / "orders.lua", self._written, self._next
        came = measured(self.server, script, seconds=seconds, cores=self.cores)
        self._next += came.taken
        return came

    def asks(self) -> Iterator[Ask]:
        """Go on where the last round stopped: each call reserves, and its answer has the payment asked at once."""
        for errand in self.errands[self._next :]:
            self._next += 1
            yield errand.reserve()
