"""Clients who take their time: each of them has so long, and then her connection is somebody else's."""

import asyncio
import socket

import uvloop
from litestar.types import HTTPResponseBodyEvent, HTTPResponseStartEvent, Receive, Scope, Send

from stagedoor.http.protocol import Patience
from stagedoor.http.reading import BODY_WAIT_S_MAX
from tests.integration.http.served import DEADLINE_S, everything, served

SHORT = Patience(idle_s=0.2, head_s=0.2, body_s=0.2, taking_s=0.2, parting_s=0.2, stop_s=1)
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def answer_at_once(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer without a look at the body."""
    headers = [(b"content-length", b"2")]
    await send(HTTPResponseStartEvent(type="http.response.start", status=200, headers=headers))
    await send(HTTPResponseBodyEvent(type="http.response.body", body=b"ok", more_body=False))


def test_a_head_has_ten_seconds_and_a_body_fifteen() -> None:
    patience = Patience()

    assert patience.head_s == 10
    assert patience.body_s == BODY_WAIT_S_MAX == 15


async def test_a_head_that_does_not_end_is_refused() -> None:
    async with served(SHORT) as server:
        answers = await everything(server.port, HEAD)

    assert answers.startswith(b"HTTP/1.1 400 ")
    assert server.asked == []
    assert server.refused("slow_head") == 1


async def test_a_connection_on_which_nothing_comes_is_closed() -> None:
    async with served(SHORT) as server:
        assert await everything(server.port) == b""


async def test_a_connection_on_which_nothing_comes_any_more_is_closed() -> None:
    async with served(SHORT) as server:
        answers = await everything(server.port, HEAD + b"\r\n")

    assert answers.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" not in answers


async def test_a_byte_does_not_buy_an_idle_connection_any_time() -> None:
    # The parser takes blank lines before a request for nothing at all.
    async with served(SHORT) as server:
        answers = await everything(server.port, HEAD + b"\r\n", b"\r\n", apart=True)

    assert answers.startswith(b"HTTP/1.1 200 ")


async def test_the_rest_of_a_body_that_nobody_wanted_is_not_waited_for() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    patience = Patience(idle_s=3_600, body_s=0.2, stop_s=1)
    async with served(patience, answer_at_once) as server:
        answers = await everything(server.port, head + b"{", b"}", apart=True)

    assert answers.count(b"HTTP/1.1 ") == 1
    assert server.refused("slow_body") == 1


async def test_an_answer_before_the_end_of_its_request_is_heard() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n"
    async with served(Patience(parting_s=3_600, stop_s=1), answer_at_once) as server:
        answers = await everything(server.port, head, *[b"x" * 10_000] * 10, apart=True)

    assert answers.endswith(b"ok")


async def test_whoever_does_not_take_her_answer_is_cut_off() -> None:
    ended = asyncio.Event()

    async def answer_at_length(_scope: Scope, _receive: Receive, send: Send) -> None:
        try:
            headers = [(b"content-length", b"%d" % (200 * 1_000_000))]
            await send(HTTPResponseStartEvent(type="http.response.start", status=200, headers=headers))
            for left in range(199, -1, -1):
                body = bytes(1_000_000)
                await send(HTTPResponseBodyEvent(type="http.response.body", body=body, more_body=left > 0))
        finally:
            ended.set()

    async with served(SHORT, answer_at_length) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1_000)
        writer.write(HEAD + b"\r\n")
        async with asyncio.timeout(DEADLINE_S):
            await ended.wait()
            # What the kernel holds for her comes yet, and then the end.
            taken = 0
            try:
                while piece := await reader.read(100_000):
                    taken += len(piece)
            except ConnectionError:
                pass
        writer.close()

    assert taken < 200 * 1_000_000
    assert server.refused("slow_to_take") == 1


def test_a_client_that_goes_away_from_a_row_of_requests_troubles_nobody() -> None:
    # With the loop that serves: this one tells of what is written to nobody.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        trouble = runner.run(the_trouble_with_a_client_that_goes_away())

    assert trouble is None


async def the_trouble_with_a_client_that_goes_away() -> BaseException | None:
    """Return what the app was told by *send* when a client went away in the middle of the first of three answers."""
    ended: asyncio.Queue[BaseException | None] = asyncio.Queue()

    async def answer_at_length(_scope: Scope, _receive: Receive, send: Send) -> None:
        trouble: BaseException | None = None
        try:
            headers = [(b"content-length", b"%d" % (200 * 1_000_000))]
            await send(HTTPResponseStartEvent(type="http.response.start", status=200, headers=headers))
            for left in range(199, -1, -1):
                body = bytes(1_000_000)
                await send(HTTPResponseBodyEvent(type="http.response.body", body=body, more_body=left > 0))
        except RuntimeError as error:
            trouble = error
        ended.put_nowait(trouble)

    async with served(app=answer_at_length) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1_000)
        writer.write((HEAD + b"\r\n") * 3)
        async with asyncio.timeout(DEADLINE_S):
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            return await ended.get()


async def test_a_connection_beyond_the_last_is_told_to_come_back() -> None:
    patience = Patience(connections_max=2, parting_s=0.2, stop_s=1)
    async with served(patience) as server:
        kept = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        for _, writer in kept:
            writer.write(HEAD + b"\r\n")
        for reader, _ in kept:
            await reader.readuntil(b"ok")

        answers = await everything(server.port, HEAD + b"\r\n")
        kept[0][1].close()
        again = b"HTTP/1.1 503 "
        async with asyncio.timeout(DEADLINE_S):
            while again.startswith(b"HTTP/1.1 503 "):
                again = await everything(server.port, HEAD + b"Connection: close\r\n\r\n")

        kept[1][1].close()

    assert answers.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 5" in answers
    assert server.refused("crowded") >= 1
    assert again.startswith(b"HTTP/1.1 200 ")


async def test_in_a_crowd_idle_connections_make_room() -> None:
    patience = Patience(connections_max=1, idle_s=3_600, idle_when_crowded_s=0.2, stop_s=1)
    async with served(patience) as server:
        assert await everything(server.port) == b""


async def test_a_stop_does_not_wait_for_a_client_that_was_refused() -> None:
    async with served(Patience(parting_s=3_600, stop_s=3_600)) as server:
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_S)
        connection.sendall(b"rubbish\r\n\r\n")
        refused = await asyncio.to_thread(connection.recv, 1_000)
    connection.close()

    assert refused.startswith(b"HTTP/1.1 400 ")
    assert server.refused("unreadable") == 1
