"""The deadline of a request over real HTTP, on the short way and on the long one: when it begins, and what ends it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from litestar.types import Message, Receive, Send
from typing_extensions import override

from stagedoor.checkout.outcomes import Settled
from stagedoor.http.deadlines import Deadlines
from stagedoor.http.hot import HotCalls
from stagedoor.http.load import Load
from stagedoor.kernel.ids import BuyerId
from stagedoor.kernel.money import Won
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.breakers import Instance
from stagedoor.wallet.model import Transfer
from tests.builders.work import Work
from tests.integration.http.served import everything, served
from tests.integration.http.stage import FakeTill, FakeWallets, Stage

SHORT = "short"
SOON = Deadlines(change_s=0.02, read_s=0.02)
LONG_AFTER_S = 0.2
NO_ANSWER = b"HTTP/1.1 503 "


class SilentTill(FakeTill):
    def __init__(self, silent: Work) -> None:
        super().__init__()
        self._silent = silent

    @override
    async def reserve(self, **asked: Any) -> Settled:
        await self._silent()
        raise AssertionError("nobody waits for this")


class SilentWallets(FakeWallets):
    def __init__(self, silent: Work) -> None:
        super().__init__()
        self._silent = silent

    @override
    async def balance(self, buyer_id: BuyerId) -> Won | None:
        await self._silent()
        return None

    @override
    async def ledger(self, buyer_id: BuyerId, *, limit: int) -> list[Transfer]:
        await self._silent()
        return []


@pytest.fixture(params=[SHORT, "long"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def silence(way: str, deadlines: Deadlines = SOON) -> AsyncIterator[tuple[Stage, Work, int]]:
    silent = Work()
    stage = Stage(deadlines=deadlines, reserve_seats=SilentTill(silent), wallets=SilentWallets(silent))
    async with served(app=stage.app, hot=HotCalls(stage.app) if way == SHORT else None) as server:
        yield stage, silent, server.port
        silent.may_end.set()
        await stage.services.under_way.drain()


def request(stage: Stage, method: str, path: str, body: bytes = b"", **fields: str) -> bytes:
    given = {"host": "x", "authorization": stage.token(), "content-length": str(len(body)), "connection": "close"}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in {**given, **fields}.items())
    return f"{method} /v1/api{path} HTTP/1.1\r\n{lines}\r\n".encode() + body


RESERVE = ("POST", "/concerts/reserve", b'{"scheduleId":1,"seatId":11}')
BALANCE = ("GET", "/user/amount", b"")
LEDGER = ("GET", "/user/ledger", b"")


@pytest.mark.parametrize("call", [RESERVE, BALANCE, LEDGER], ids=lambda call: call[1])
async def test_at_its_deadline_a_call_is_answered_that_there_is_no_answer(
    way: str, call: tuple[str, str, bytes]
) -> None:
    async with silence(way) as (stage, _, port):
        answer = await everything(port, request(stage, *call))

    assert answer.startswith(NO_ANSWER)
    assert b"retry-after: 1\r\n" in answer.lower()


@pytest.mark.parametrize("call", [RESERVE, BALANCE], ids=lambda call: call[1])
async def test_her_own_deadline_is_kept_where_it_is_shorter(way: str, call: tuple[str, str, bytes]) -> None:
    async with silence(way, Deadlines(change_s=3_600, read_s=3_600)) as (stage, _, port):
        answer = await everything(port, request(stage, *call, stagedoor_deadline_ms="20"))

    assert answer.startswith(NO_ANSWER)


async def test_what_was_begun_goes_on_without_her(way: str) -> None:
    async with silence(way) as (stage, silent, port):
        await everything(port, request(stage, *RESERVE, idempotency_key="once"))
        assert silent.ended == 0

    assert silent.ended == 1


class LateTill(SilentTill):
    """It keeps the loop from everybody until all that was to be told at the deadline is overdue."""

    @override
    async def reserve(self, **asked: Any) -> Settled:
        time.sleep(LONG_AFTER_S)  # noqa: ASYNC251 -- that is the lag
        return await super().reserve(**asked)


async def test_who_repeats_is_told_that_the_first_still_runs_however_late_the_loop_is(way: str) -> None:
    silent = Work()
    stage = Stage(deadlines=SOON, reserve_seats=LateTill(silent))
    async with served(app=stage.app, hot=HotCalls(stage.app) if way == SHORT else None) as server:
        again = request(stage, *RESERVE, idempotency_key="once")
        first = await everything(server.port, again)
        second = await everything(server.port, again)
        silent.may_end.set()
        await stage.services.under_way.drain()

    assert first.startswith(NO_ANSWER)
    assert second.startswith(b"HTTP/1.1 409 ")
    assert stage.breakers.of(Instance.SALE).snapshot().failed_calls == 1


async def test_a_client_who_is_slow_to_send_loses_nothing_of_her_time() -> None:
    stage = Stage(deadlines=SOON)
    stage.till.outcomes.append(KeyError("a bug of ours"))
    async with served(app=stage.app, hot=HotCalls(stage.app)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        whole = request(stage, *RESERVE)
        writer.write(whole[:-5])
        await writer.drain()
        await asyncio.sleep(LONG_AFTER_S)
        writer.write(whole[-5:])
        answer = await reader.read()
        writer.close()

    # It reached the sale, which answered.
    assert answer.startswith(b"HTTP/1.1 500 ")


async def test_an_answer_that_has_begun_is_not_cut_off() -> None:
    stage, sent = Stage(deadlines=SOON), list[Any]()

    async def receive() -> Any:  # noqa: ANN401 -- ASGI's form
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        # The client takes her time.
        await asyncio.sleep(LONG_AFTER_S)
        sent.append(message)

    await asked(stage, receive, send)

    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 200


async def test_who_does_not_take_her_answer_takes_nobodys_room() -> None:
    metrics, begun, taken = Metrics(), asyncio.Queue[int](), asyncio.Event()
    stage = Stage(metrics=metrics, load=Load(metrics, target_s=60, least=1, most=20))

    async def receive() -> Any:  # noqa: ANN401 -- ASGI's form
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            begun.put_nowait(message["status"])
        await taken.wait()

    statuses = list[int]()
    async with asyncio.TaskGroup() as slow:
        for _ in range(30):
            slow.create_task(asked(stage, receive, send))
            statuses.append(await begun.get())
        taken.set()

    assert statuses == [200] * 30


async def asked(stage: Stage, receive: Receive, send: Send) -> None:
    scope: Any = {
        "type": "http",
        "method": "GET",
        "path": "/v1/api/concerts",
        "raw_path": b"/v1/api/concerts",
        "query_string": b"",
        "headers": [(b"host", b"x")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
        "asgi": {"version": "3.0"},
    }
    await stage.app(scope, receive, send)
