"""Who is put off when there are too many, on the short way and on the long one: before anything of it is begun."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from stagedoor.checkout.outcomes import Settled
from stagedoor.http.contract import priority_of
from stagedoor.http.edge import Edge
from stagedoor.http.handlers import Handlers
from stagedoor.http.hot import HotCalls
from stagedoor.http.load import LOOK_EVERY_S, QUIET_LOOKS, SHED, Load
from stagedoor.http.ops import ops_router
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.lag_level import RISE
from stagedoor.resilience.priority import Priority
from tests.integration.http.served import DEADLINE_S, served
from tests.integration.http.stage import FakeTill, Stage, lag

BASE = "/v1/api"
SHORT = "short"
MOST = 20
OF_READS, OF_RESERVES = 14, 17
"""What their shares of `MOST` come to."""

RESERVE = ("POST", f"{BASE}/concerts/reserve", b'{"scheduleId":1,"seatId":11}')
RELEASE = ("DELETE", f"{BASE}/concerts/reserve/77", b"")
PAY = ("POST", f"{BASE}/concerts/payment", b'{"reservationId":77}')
JOIN = ("POST", f"{BASE}/queue/token", b'{"userId":1}')
POLL = ("POST", f"{BASE}/queue/token/check", b"")
BALANCE = ("GET", f"{BASE}/user/amount", b"")
HEALTH = ("GET", "/healthz", b"")
READY = ("GET", "/readyz", b"")
NOWHERE = ("GET", "/nowhere", b"")


class HeldTill(FakeTill):
    """A sale that answers nobody until it is let go, and says then that its database is out."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.begun = asyncio.Semaphore(0)

    async def _held(self, asked: dict[str, Any]) -> Settled:
        self.asked.append(asked)
        self.begun.release()
        await self.go_on.wait()
        raise SHED

    @override
    async def reserve(self, **asked: Any) -> Settled:
        return await self._held(asked)

    @override
    async def release(self, **asked: Any) -> Settled:
        return await self._held(asked)

    @override
    async def pay(self, **asked: Any) -> Settled:
        return await self._held(asked)


class Crowd:
    """A stage behind a real server, and those who ask it, each on a connection of her own."""

    def __init__(self, stage: Stage, till: HeldTill, port: int) -> None:
        self.stage = stage
        self.till = till
        self._port = port
        self._asking: list[asyncio.Task[tuple[int, dict[str, Any]]]] = []

    async def asks(self, call: tuple[str, str, bytes], **fields: str) -> tuple[int, dict[str, Any]]:
        """Return the status, and the envelope's exception with the `Retry-After` header."""
        method, path, body = call
        given = {"host": "x", "authorization": self.stage.token(), "content-length": str(len(body)), **fields}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in given.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            async with asyncio.timeout(DEADLINE_S):
                writer.write(head.encode() + b"\r\n" + body)
                answered = await reader.readuntil(b"\r\n\r\n")
                lines = answered.decode().lower().split("\r\n")
                told = dict(line.split(": ", 1) for line in lines[1:] if line)
                document = msgspec.json.decode(await reader.readexactly(int(told["content-length"])))
        finally:
            writer.close()
        return int(lines[0].split()[1]), {**document["exception"], **{k: v for k, v in told.items() if "-" in k}}

    async def waits(self, call: tuple[str, str, bytes], *, times: int, **fields: str) -> None:
        """Have so many ask, and return when all of them wait for the sale."""
        self._asking += [asyncio.create_task(self.asks(call, **fields)) for _ in range(times)]
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(times):
                await self.till.begun.acquire()

    async def go_home(self) -> None:
        self.till.go_on.set()
        await asyncio.gather(*self._asking)


@asynccontextmanager
async def a_crowd(way: str, *, most: int = MOST) -> AsyncIterator[Crowd]:
    metrics, till = Metrics(), HeldTill()
    load = Load(metrics, target_s=60, least=1, most=most)
    stage = Stage(load=load, metrics=metrics, reserve_seats=till, release_seats=till, pay=till)
    async with served(app=stage.app, hot=HotCalls(stage.app) if way == SHORT else None) as server:
        crowd = Crowd(stage, till, server.port)
        try:
            yield crowd
        finally:
            await crowd.go_home()


def samples(stage: Stage, name: str) -> dict[str, float]:
    found = stage.services.metrics.registry.collect()
    return {
        sample.labels["call"]: sample.value
        for family in found
        for sample in family.samples
        if sample.name == name and sample.value
    }


@pytest.fixture(params=[SHORT, "long"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_beyond_its_share_a_call_is_put_off_before_anything_of_it_is_begun(way: str) -> None:
    async with a_crowd(way) as crowd:
        await crowd.waits(RESERVE, times=OF_RESERVES)

        status, told = await crowd.asks(RESERVE)

        assert (status, told["code"]) == (503, "503")
        assert told["message"] == "Very busy at the moment. Try again soon."
        assert int(told["retry-after"]) in {1, 2, 3}
        assert told["retryAfterMs"] == 1_000 * int(told["retry-after"])
        assert told["requestId"] == told["x-request-id"]
        assert len(crowd.till.asked) == OF_RESERVES


async def test_who_pays_or_gives_back_is_let_in_where_a_reserve_is_not(way: str) -> None:
    async with a_crowd(way) as crowd:
        await crowd.waits(RESERVE, times=OF_RESERVES)
        await crowd.waits(RELEASE, times=1)
        await crowd.waits(PAY, times=2)

        # 20 are under way: there is no room for anybody but those who ask how we are.
        statuses = [(await crowd.asks(call))[0] for call in (PAY, RELEASE, RESERVE, JOIN, BALANCE, NOWHERE)]
        assert statuses == [503] * 6
        assert [(await crowd.asks(call))[0] for call in (HEALTH, READY)] == [200, 200]


async def test_a_poll_that_waits_for_nothing_is_answered_however_many_wait() -> None:
    async with a_crowd(SHORT) as crowd:
        await crowd.waits(RESERVE, times=OF_RESERVES)

        assert (await crowd.asks(POLL))[0] == 200

        # But one that has to wait, for a commit that decides its place, waits like any other call.
        crowd.stage.door.undecided.add(crowd.stage.door.place.ref)
        assert (await crowd.asks(POLL))[0] == 503


async def test_room_is_there_again_when_somebody_is_answered(way: str) -> None:
    async with a_crowd(way) as crowd:
        await crowd.waits(RESERVE, times=OF_RESERVES)
        await crowd.go_home()

        await crowd.waits(RESERVE, times=OF_RESERVES)

        assert len(crowd.till.asked) == 2 * OF_RESERVES


async def test_who_is_slow_to_send_takes_nobodys_room() -> None:
    async with a_crowd(SHORT) as crowd:
        head = b"POST /v1/api/concerts/reserve HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"
        slow = [await asyncio.open_connection("127.0.0.1", crowd._port) for _ in range(2 * MOST)]  # noqa: SLF001
        for _, writer in slow:
            writer.write(head)
            await writer.drain()
        # A call that is answered comes after what was sent before it.
        assert (await crowd.asks(HEALTH))[0] == 200

        await crowd.waits(RESERVE, times=OF_RESERVES)

        for _, writer in slow:
            writer.close()


async def test_a_body_that_nobody_reads_hides_no_call() -> None:
    async with a_crowd("long") as crowd:
        await crowd.waits((*RELEASE[:2], b"{}"), times=MOST)

        assert (await crowd.asks(RELEASE))[0] == 503
        assert len(crowd.till.asked) == MOST


async def test_while_the_loop_is_late_all_but_payments_and_health_are_put_off(way: str) -> None:
    async with a_crowd(way, most=10_000) as crowd:
        lag(crowd.stage.services.load)

        statuses = [(await crowd.asks(call))[0] for call in (RELEASE, RESERVE, BALANCE, JOIN, NOWHERE)]
        polls = [(await crowd.asks(POLL))[0] for _ in range(16)]
        await crowd.waits(PAY, times=1)

        assert statuses == [503] * 5
        assert (polls.count(200), polls.count(503)) == (2, 14)
        assert (await crowd.asks(HEALTH))[0] == 200


async def test_each_call_put_off_is_counted_by_its_name_and_none_is_logged(way: str) -> None:
    async with a_crowd(way, most=1) as crowd:
        await crowd.waits(PAY, times=1)

        with capture_logs() as lines:
            for call in (RESERVE, RESERVE, JOIN, RELEASE, NOWHERE):
                await crowd.asks(call)

        assert {line["log_level"] for line in lines} == {"debug"}
        counted = {"reserve_seats": 2.0, "issue_token": 1.0, "release_seats": 1.0, "none": 1.0}
        assert samples(crowd.stage, "stagedoor_shed_calls_total") == counted


async def test_the_beginning_and_the_end_of_it_are_logged_once() -> None:
    load = Load(Metrics())
    with capture_logs() as lines:
        for _ in range(3):
            load.put_off()
            await load.look()
        for _ in range(2 * QUIET_LOOKS):
            await load.look()

    assert [line["event"] for line in lines] == ["load.shedding", "load.recovered"]


async def test_a_loop_that_stood_still_is_found_late() -> None:
    metrics = Metrics()
    load = Load(metrics, target_s=0.02)
    for _ in range(3):
        await load.look()
        time.sleep(LOOK_EVERY_S + 0.1)  # noqa: ASYNC251 -- that is the lag

    assert metrics.registry.get_sample_value("stagedoor_shed_level") == RISE
    assert metrics.registry.get_sample_value("stagedoor_loop_lag_seconds_bucket", {"le": "0.05"}) == 0
    assert metrics.registry.get_sample_value("stagedoor_loop_lag_seconds_count") == 2


async def test_it_is_told_in_the_callers_language() -> None:
    async with a_crowd(SHORT, most=1) as crowd:
        await crowd.waits(PAY, times=1)

        _, told = await crowd.asks(RESERVE, **{"accept-language": "ko"})

        assert told["message"].startswith("접속이 많아")


def test_every_call_has_its_priority() -> None:
    desk: Any = SimpleNamespace(gate=None)  # nobody is let in: only where each path leads to is asked
    app = Stage(ops=ops_router(desk)).app
    handlers = Handlers(app.routes)

    def priority(method: str, path: str) -> Priority:
        return priority_of(handlers.of(method, path))

    assert isinstance(app.asgi_handler, Edge)
    found = {
        (method, path): priority(method, path)
        for method, path in [
            ("POST", f"{BASE}/concerts/payment"),
            ("DELETE", f"{BASE}/concerts/reserve/123"),
            ("DELETE", f"{BASE}/queue/token"),
            ("POST", f"{BASE}/concerts/reserve/"),
            ("GET", "/ops/api/breakers"),
            ("POST", "/ops/api/sale"),
            ("PATCH", "/ops/api/rooms/main"),
            ("GET", f"{BASE}/concerts/seat"),
            ("GET", f"{BASE}/concerts/schedule"),
            ("POST", f"{BASE}/user/amount"),
            ("GET", f"{BASE}/user/amount"),
            ("GET", f"{BASE}/user/orders"),
            ("GET", f"{BASE}/user/reservations"),
            ("GET", f"{BASE}/user/ledger"),
            ("POST", f"{BASE}/queue/token/check"),
            ("GET", f"{BASE}/queue/status"),
            ("GET", f"{BASE}/concerts"),
            ("POST", f"{BASE}/queue/token"),
            ("GET", "/healthz"),
            ("GET", "/readyz"),
            ("GET", "/metrics"),
            ("GET", "/schema"),
            ("GET", "/nowhere"),
        ]
    }
    assert list(found.values()) == [
        Priority.PAY,
        *[Priority.RELEASE] * 2,
        Priority.RESERVE,
        *[Priority.OPERATOR] * 3,
        *[Priority.READ] * 2,
        *[Priority.WALLET] * 5,
        *[Priority.POLL] * 3,
        Priority.JOIN,
        *[Priority.HEALTH] * 3,
        *[Priority.JOIN] * 2,
    ]
