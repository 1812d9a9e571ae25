"""Orders: each by a buyer of her own, for a seat of its own, reserved and then paid for."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from scripts.bench.calls import API, HERE, Request, measured
from scripts.bench.cores import Cores
from scripts.bench.paced import Answered, Ask, Pacing
from scripts.bench.served import Served
from scripts.bench.wrk import CONNECTIONS, Round

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

    def _pay(self, pacing: Pacing, answer: bytes) -> None:
        found = _RESERVATION.search(answer)
        body = b'{"reservationId":%b}' % (found[1] if found else b"0")
        pacing.ask(self._ask(PAY, "/concerts/payment", body, PAID), asyncio.get_running_loop().time())

    def _ask(self, name: str, path: str, body: bytes, right: bytes, *, then: Answered | None = None) -> Ask:
        request = Request(method="POST", path=f"{API}{path}", headers={"Authorization": self.token}, body=body)
        return Ask(name, request.encode(), right, then)


@dataclass(slots=True, kw_only=True)
class Orders:
    """
    Buys as fast as it goes, one order after another on each connection.

    Connection *i* does every 64th errand, from the *i*-th on. A
    round goes on where the last one stopped.
    """

    name: str
    server: Served
    cores: Cores
    folder: Path
    errands: Sequence[Errand]
    _starts: list[int] = field(default_factory=lambda: [0] * CONNECTIONS)

    def __post_init__(self) -> None:
        """Write down what each connection does."""
        for nth in range(CONNECTIONS):
            lines = map(str, self.errands[nth::CONNECTIONS])
            (self.folder / f"orders-{nth}").write_text("".join(lines), encoding="ascii")

    def round(self, seconds: int) -> Round:
        """Buy for so long."""
        script = HERE / "orders.lua", self.folder, ",".join(map(str, self._starts))
        came = measured(self.server, script, seconds=seconds, cores=self.cores, threads=CONNECTIONS)
        self._starts = [start + taken for start, taken in zip(self._starts, came.taken, strict=True)]
        return came

    def asks(self) -> Iterator[Ask]:
        """Go on where the last round stopped: each call reserves, and its answer has the payment asked at once."""
        of_each = [self.errands[nth::CONNECTIONS][start:] for nth, start in enumerate(self._starts)]
        for some in zip_longest(*of_each):
            for nth, errand in enumerate(some):
                if errand is not None:
                    self._starts[nth] += 1
                    yield errand.reserve()
