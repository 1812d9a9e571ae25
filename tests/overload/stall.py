"""What is asked while the database says nothing: every kind of call now and then, and polls as fast as they go."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from scripts.bench.cores import Cores, cpu_ns, driving
from scripts.bench.house import House
from scripts.bench.served import Served
from tests.overload import STALL
from tests.overload.house import People, polls_of, request

POLLERS = 32
CHANGE_S, READ_S = 2.0, 1.0
SETTINGS = {"DEADLINE_CHANGE_SECONDS": str(CHANGE_S), "DEADLINE_READ_SECONDS": str(READ_S)}
PAUSE_S = 0.2
LEAVING = 100
"""So many at the end of the line are to leave; nobody can say how they stand meanwhile, so they do not poll."""

GRACE_S = 0.05


@dataclass(slots=True, kw_only=True)
class Kind:
    """One kind of call: what it was answered, and how long that took."""

    name: str
    deadline_s: float
    requests: Sequence[bytes]
    statuses: Counter[int] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)

    @property
    def p99_s(self) -> float:
        """The time within which 99 of 100 answers came."""
        ordered = sorted(self.took_s)
        return ordered[(len(ordered) * 99 - 1) // 100]

    @property
    def is_in_time(self) -> bool:
        """Whether its p99 is within its deadline and what may be added."""
        return self.p99_s <= self.deadline_s + GRACE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Polls a second before and during the stall, and every other kind of call during it."""

    healthy: float
    stalled: float
    healthy_cpu_us: float
    stalled_cpu_us: float
    polls: Kind
    kinds: Sequence[Kind]

    @property
    def share(self) -> float:
        """Which part of their healthy rate the polls have kept."""
        return self.stalled / self.healthy

    @property
    def share_by_cpu(self) -> float:
        """The same where nobody else uses the cores; what is asked beside the polls counts as theirs."""
        return self.healthy_cpu_us / self.stalled_cpu_us


Stalled = Callable[[], AbstractContextManager[object]]
"""The database says nothing inside of it."""


def ask_over_a_stall(house: House, server: Served, folder: Path, *, seconds: float, cores: Cores) -> Findings:
    """Poll for so long, then stall *server*, which works in *folder*, for as long, poll on and ask for all else."""

    @contextmanager
    def stalled() -> Iterator[None]:
        (folder / STALL).touch()
        try:
            yield
        finally:
            (folder / STALL).unlink()

    with driving(cores), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(ask_over(stalled, house, port=server.port, pid=server.pid, seconds=seconds))


async def ask_over(stalled: Stalled, house: People, *, port: int, pid: int, seconds: float) -> Findings:
    """Poll for so long, then have the database *stalled* for as long, poll on and ask for all else."""
    began_ns = cpu_ns(pid)
    healthy = Kind(name="check", deadline_s=READ_S, requests=polls_of(house)[:-LEAVING])
    await asyncio.gather(*(_poll(healthy, port, nth, seconds) for nth in range(POLLERS)))
    stalled_ns = cpu_ns(pid)
    polls, kinds = Kind(name="check", deadline_s=READ_S, requests=healthy.requests), _kinds(house)
    with stalled():
        await asyncio.gather(
            *(_poll(polls, port, nth, seconds) for nth in range(POLLERS)),
            *(_now_and_then(kind, port, seconds) for kind in kinds),
        )
    return Findings(
        healthy=len(healthy.took_s) / seconds,
        stalled=len(polls.took_s) / seconds,
        healthy_cpu_us=(stalled_ns - began_ns) / len(healthy.took_s) / 1e3,
        stalled_cpu_us=(cpu_ns(pid) - stalled_ns) / len(polls.took_s) / 1e3,
        polls=polls,
        kinds=kinds,
    )


def _kinds(house: People) -> Sequence[Kind]:
    inside = house.inside
    performance_id, seat_id = house.seats[-1]
    wanted = b'{"scheduleId":%d,"seatId":%d}' % (performance_id, seat_id)
    seats = f"/concerts/seat?scheduleId={performance_id}"
    joins = [b'{"userId":%d}' % buyer_id for buyer_id in house.newcomers]
    reservation = b'{"reservationId":1}'
    return [
        _kind("pay", CHANGE_S, [request("POST", "/concerts/payment", token, reservation) for token in inside]),
        _kind("reserve", CHANGE_S, [request("POST", "/concerts/reserve", token, wanted) for token in inside]),
        _kind("release", CHANGE_S, [request("DELETE", "/concerts/reserve/1", token) for token in inside]),
        _kind("charge", CHANGE_S, [request("POST", "/user/amount", token, b'{"amount":1}') for token in inside]),
        _kind("leave", CHANGE_S, [request("DELETE", "/queue/token", token) for token in house.waiting[-LEAVING:]]),
        _kind("join", CHANGE_S, [request("POST", "/queue/token", "", body) for body in joins]),
        _kind("balance", READ_S, [request("GET", "/user/amount", token) for token in inside]),
        _kind("orders", READ_S, [request("GET", "/user/orders", token) for token in inside]),
        _kind("reservations", READ_S, [request("GET", "/user/reservations", token) for token in inside]),
        _kind("ledger", READ_S, [request("GET", "/user/ledger", token) for token in inside]),
        _kind("concerts", READ_S, [request("GET", "/concerts", "")]),
        _kind("schedule", READ_S, [request("GET", "/concerts/schedule", token) for token in inside]),
        _kind("seats", READ_S, [request("GET", seats, token) for token in inside]),
        _kind("status", READ_S, [request("GET", "/queue/status", "")]),
    ]


def _kind(name: str, deadline_s: float, requests: Sequence[bytes]) -> Kind:
    return Kind(name=name, deadline_s=deadline_s, requests=requests)


async def _poll(kind: Kind, port: int, first: int, seconds: float) -> None:
    """Ask again as soon as there is an answer, for so long."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ends, nth = time.perf_counter() + seconds, first
    while time.perf_counter() < ends:
        await _once(kind, kind.requests[nth % len(kind.requests)], reader, writer)
        nth += POLLERS
    writer.close()


async def _now_and_then(kind: Kind, port: int, seconds: float) -> None:
    """Ask at even intervals, whether or not the one before was answered, for so long."""

    async def ask(sent: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await _once(kind, sent, reader, writer)
        writer.close()

    async with asyncio.TaskGroup() as group:
        for nth in range(int(seconds / PAUSE_S)):
            group.create_task(ask(kind.requests[nth % len(kind.requests)]))
            await asyncio.sleep(PAUSE_S)


async def _once(kind: Kind, sent: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    began = time.perf_counter()
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    _, _, rest = head.lower().partition(b"content-length: ")
    await reader.readexactly(int(rest.split(b"\r\n", 1)[0] or 0))
    kind.took_s.append(time.perf_counter() - began)
    kind.statuses[int(head[9:12])] += 1
