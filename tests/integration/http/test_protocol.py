"""What no app ever sees: bytes that are no HTTP, and heads without end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from litestar.types import HTTPResponseBodyEvent, HTTPResponseStartEvent, Receive, Scope, Send

from stagedoor.http.protocol import HEAD_BYTES_MAX
from stagedoor.http.server import HttpServer, listen


async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer whatever gets this far."""
    headers = [(b"content-length", b"2")]
    await send(HTTPResponseStartEvent(type="http.response.start", status=200, headers=headers))
    await send(HTTPResponseBodyEvent(type="http.response.body", body=b"ok", more_body=False))


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    with listen("127.0.0.1", 0) as listener:
        port: int = listener.getsockname()[1]
        ready = asyncio.Event()
        server = HttpServer(app, listener, ready=ready.set, stop_s_max=1, headers=[(b"stagedoor-identity", b"demo")])
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve())
            await ready.wait()
            try:
                yield port
            finally:
                server.stop()


async def answer_to(port: int, *pieces: bytes) -> bytes:
    """Send *pieces* and return everything that comes back until the server closes, or the answer is whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            return head + await reader.readexactly(length)
    finally:
        writer.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"FOO /v1/api/queue/token HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_in_the_envelope(request_: bytes) -> None:
    async with served() as port:
        answer = await answer_to(port, request_)

    head, body = answer.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"stagedoor-identity: demo" in head
    assert json.loads(body)["exception"]["code"] == "400"


async def test_a_head_without_end_is_refused() -> None:
    line = b"x-more: " + b"y" * 1_000 + b"\r\n"
    pieces = [b"GET / HTTP/1.1\r\nHost: x\r\n", *[line] * (2 * HEAD_BYTES_MAX // len(line))]
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with_reset = False
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                # Each piece is read by itself: what arrives at once counts as one.
                await asyncio.sleep(0)
            answer = await reader.read()
        except ConnectionError:
            with_reset, answer = True, b""
        finally:
            writer.close()

    assert with_reset or answer.startswith(b"HTTP/1.1 400 ")


async def test_a_head_of_ordinary_length_is_not() -> None:
    async with served() as port:
        answer = await answer_to(port, b"GET / HTTP/1.1\r\nHost: x\r\nx-more: " + b"y" * 8_000 + b"\r\n", b"\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
