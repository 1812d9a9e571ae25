"""An app of a few lines behind the real server, for what happens before any app; and a client that sends any bytes."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from litestar.types import ASGIApp, HTTPResponseBodyEvent, HTTPResponseStartEvent, Receive, Scope, Send

from stagedoor.http.hot import HotCalls
from stagedoor.http.protocol import Patience
from stagedoor.http.server import HttpServer, listen
from stagedoor.observability.metrics import Metrics

DEADLINE_S = 30


@dataclass(slots=True)
class Served:
    """A server on *port*: the path and body of what it was asked, and the headers of the last request."""

    port: int = 0
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    headers: Iterable[tuple[bytes, bytes]] = ()
    metrics: Metrics = field(default_factory=Metrics)

    def refused(self, cause: str) -> float:
        """How many connections were ended for *cause*."""
        found = self.metrics.registry.get_sample_value("stagedoor_connections_refused_total", {"cause": cause})
        return found or 0.0

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the whole body, note it, and answer two letters."""
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message["body"]
            more = message["more_body"]
        self.asked.append((scope["path"], body))
        self.headers = scope["headers"]
        headers = [(b"content-length", b"2")]
        await send(HTTPResponseStartEvent(type="http.response.start", status=200, headers=headers))
        await send(HTTPResponseBodyEvent(type="http.response.body", body=b"ok", more_body=False))


@asynccontextmanager
async def served(
    patience: Patience | None = None, app: ASGIApp | None = None, hot: HotCalls | None = None
) -> AsyncIterator[Served]:
    """Serve *app* (with a short way to *hot*), else the one that notes what it is asked, on a free port."""
    noted = Served()
    with listen("127.0.0.1", 0) as listener:
        noted.port = listener.getsockname()[1]
        ready = asyncio.Event()
        server = HttpServer(
            app or noted.app,
            listener,
            ready=ready.set,
            patience=patience or Patience(stop_s=1),
            metrics=noted.metrics,
            headers=[(b"stagedoor-identity", b"demo")],
            hot=hot,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve())
            await ready.wait()
            try:
                yield noted
            finally:
                server.stop()


async def everything(port: int, *pieces: bytes, apart: bool = False) -> bytes:
    """
    Send *pieces* and return all that comes back until the server hangs up.

    *apart*: the server reads each piece before the next is sent.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            for _ in range(20 if apart else 0):
                await asyncio.sleep(0)
        async with asyncio.timeout(DEADLINE_S):
            return await reader.read()
    finally:
        writer.close()
