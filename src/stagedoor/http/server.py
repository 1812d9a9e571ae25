"""One listening socket, uvicorn behind it, and a stop that cuts nobody off."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from math import ceil

import uvicorn
from litestar.types import ASGIApp

from stagedoor.http.hot import HotCalls
from stagedoor.http.newcomers import turn_newcomers_away
from stagedoor.http.parting import Headers
from stagedoor.http.protocol import Patience, lose_patience, protocol_with
from stagedoor.http.short_way import short_way
from stagedoor.observability.metrics import Metrics

BACKLOG = 2_048

ACCEPTED_A_ROUND = 32
"""
How many connections are accepted in one round of the event loop.

libuv accepts one for each socket that it watches. A round that answers a crowd
takes tens of milliseconds, so that thousands would stand before the door of a
server that could tell all of them to come back.
"""

ACCEPTING_S = 0.05
READING_S = 0.25

_TICKS_A_LOOK = 5
"""uvicorn ticks ten times a second."""


class AddressInUse(Exception):  # noqa: N818 -- it becomes a sentence to the operator
    """Something else listens on the address."""


def listen(host: str, port: int) -> socket.socket:
    """
    Return a socket that listens on *host* and *port* (0: any free one).

    Raises `AddressInUse`, or OSError for an address this machine does not have.
    """
    [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    listener = socket.socket(family, kind, protocol)
    try:
        # A server that was just stopped leaves its port in TIME_WAIT; that must not keep the next one from starting.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        # Of all descriptors and processes that share it, whichever makes it block makes it block for all: a Python
        # socket passes its own mode on to what is dup'ed of it, and a worker that loses the race for a connection
        # would then wait in `accept`, with its whole loop, for the next one.
        listener.settimeout(0)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(f"{host}:{port}") from error
        raise
    return listener


def base_url(listener: socket.socket) -> str:
    """Return the URL the socket is reached under."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"


class HttpServer:
    """
    Serves an ASGI app on a listening socket until told to stop.

    *ready* is called once, when the first request would be answered. *patience*
    is how long clients are waited for, *headers* go with what is refused before
    it gets as far as *app*; the calls of *hot* go past it where they can. Where
    *shared*, other processes accept from the same socket, and go on when this one stops.
    """

    def __init__(  # noqa: PLR0913 -- one argument for each thing that is not the server's own affair
        self,
        app: ASGIApp,
        listener: socket.socket,
        *,
        ready: Callable[[], None],
        patience: Patience,
        metrics: Metrics,
        headers: Headers = (),
        hot: HotCalls | None = None,
        shared: bool = False,
    ) -> None:
        """Serve nothing yet."""
        self._listener = listener
        protocol = protocol_with(headers, patience, lambda cause: metrics.connections_refused.labels(cause).inc())
        self._server = _Server(
            uvicorn.Config(
                app,
                interface="asgi3",
                loop="none",
                http=protocol if hot is None else short_way(protocol, hot),
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=ceil(patience.idle_s),
                timeout_graceful_shutdown=ceil(patience.stop_s),
            ),
            ready,
            patience,
            shared=shared,
        )
        metrics.connections.set_function(lambda: len(self._server.server_state.connections))

    async def serve(self) -> None:
        """Serve until `stop`; return when every request under way has been answered."""
        with contextlib.ExitStack() as doors:
            more = [doors.enter_context(self._listener.dup()) for _ in range(ACCEPTED_A_ROUND - 1)]
            await self._server.serve(sockets=[self._listener, *more])

    def stop(self) -> None:
        """Accept no more connections, answer what is under way, and return from `serve`."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], patience: Patience, *, shared: bool) -> None:
        super().__init__(config)
        self._shared = shared
        self._ready = ready
        self._patience = patience

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_A_LOOK == 0:
            lose_patience(list(self.server_state.connections), asyncio.get_running_loop().time(), self._patience)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Closing a listener cuts off whoever has connected and is not accepted yet, unless another process accepts
        # from it. So nobody new gets as far as that, those who did are accepted, and what they have sent is read,
        # before anything is closed.
        if not self._shared:
            for listener in sockets or []:
                turn_newcomers_away(listener)
        await asyncio.sleep(ACCEPTING_S)
        for server in self.servers:
            server.close()
        await asyncio.sleep(READING_S)
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # The listener has accepted nothing before this turn of the loop ends, so "ready" is never a lie.
        asyncio.get_running_loop().call_soon(self._ready)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the process has one owner for them, and it is not this server."""
        yield
