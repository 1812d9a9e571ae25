"""
The floor: the fastest that an app in Python can be behind this server, and so what a call is compared with.

A bare ASGI app without middleware, served by the very class, loop and settings of the product. It reads a body of
20 bytes with msgspec, and answers with as many bytes as its path says, made once: `POST /150`.
"""

import asyncio
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import Self

import msgspec
import uvloop
from litestar.types import Receive, Scope, Send
from litestar.types.asgi_types import HTTPResponseBodyEvent, HTTPResponseStartEvent

from stagedoor.bootstrap.serving import collect_less
from stagedoor.http.protocol import Patience
from stagedoor.http.server import HttpServer, base_url, listen
from stagedoor.observability.metrics import Metrics

QUESTION = b'{"amount":123456789}'


class _Question(msgspec.Struct):
    amount: int


_decode = msgspec.json.Decoder(_Question).decode


@dataclass(frozen=True, slots=True)
class _Made:
    start: HTTPResponseStartEvent
    body: HTTPResponseBodyEvent

    @classmethod
    def of(cls, path: str) -> Self:
        body = answer(int(path.removeprefix("/")))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        return cls(
            {"type": "http.response.start", "status": 200, "headers": headers},
            {"type": "http.response.body", "body": body, "more_body": False},
        )


_MADE: dict[str, _Made] = {}


def answer(size: int) -> bytes:
    """Return the floor's answer of *size* bytes (at least 11)."""
    return b'{"data":"%s"}' % (b"x" * (size - len(b'{"data":""}')))


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    message = await receive()
    assert message["type"] == "http.request"
    _decode(message["body"])
    path = scope["path"]
    made = _MADE.get(path)
    if made is None:
        made = _MADE[path] = _Made.of(path)
    await send(made.start)
    await send(made.body)


async def _serve() -> None:
    with closing(listen("127.0.0.1", 0)) as listener:

        def ready() -> None:
            print(f"The floor is ready on {base_url(listener)}", flush=True)

        collect_less()
        await HttpServer(app, listener, ready=ready, patience=Patience(stop_s=1), metrics=Metrics()).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(_serve()))
