"""
A TCP proxy that spoils connections on purpose, between a client and a real server.

It has a thread and a loop of its own: what it does is late when it is told to be
late, not when the test is busy. All of it may be called from any thread.

    with Proxy(server.port) as proxy, proxy.toxic(Latency(ms=300)):
        ...  # clients call 127.0.0.1, proxy.port
"""

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self, TypeVar

from scripts.services.server import HOST, free_port
from tests.faults.toxics import DOWN, UP, Piece, Stream, Toxic

Result = TypeVar("Result")

PIECE_BYTES = 65_536
PIECES_HELD = 64
"""What a proxy takes ahead of a slow receiver; then its sender has to wait, as in a network."""

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """A port on this machine that leads to another one; at first it only hands on."""

    def __init__(self, upstream_port: int) -> None:
        """Lead to *upstream_port* of this machine."""
        self.upstream_port = upstream_port
        self.port = free_port()
        self.accepted = 0
        """How many connections were ever made to it."""
        self.bytes_passed: Counter[Stream] = Counter()
        self.toxics: Sequence[Toxic] = ()
        self.changed = asyncio.Event()
        self.random = random.Random(7)
        self._met: Counter[Toxic] = Counter()
        self._listener: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._serving: set[asyncio.Task[Any]] = set()
        self._refusing: list[asyncio.Future[None]] = []
        self._wrong: list[BaseException] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faults", daemon=True)

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection, and end the thread."""
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._wrong:
            raise BaseExceptionGroup("the proxy itself is wrong", self._wrong)

    def up(self) -> None:
        """Listen again, on the same port."""
        self._do(self._listen())

    def down(self) -> None:
        """Refuse connections from now on, and reset those that are open."""
        self._do(self._refuse())

    def refuse(self) -> None:
        """Do as `down` does; for whoever is in the proxy's own loop, and cannot wait for it."""
        self._refusing.append(asyncio.ensure_future(self._refuse()))

    def add(self, toxic: Toxic) -> None:
        """Spoil connections with *toxic* too, those that are open as well as new ones."""
        self._do(self._have([*self.toxics, toxic]))

    def remove(self, toxic: Toxic) -> None:
        """Take *toxic* away; what it holds goes on at once."""
        self._do(self._have([each for each in self.toxics if each is not toxic]))

    @contextmanager
    def toxic(self, toxic: Toxic) -> Iterator[Toxic]:
        """Have *toxic* in place meanwhile."""
        self.add(toxic)
        try:
            yield toxic
        finally:
            self.remove(toxic)

    @property
    def open(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def falls_to(self, toxic: Toxic) -> bool:
        """Tell of the next connection that *toxic* meets whether it is one of its share; the share is exact."""
        self._met[toxic] += 1
        count = self._met[toxic]
        return int(count * toxic.toxicity) > int((count - 1) * toxic.toxicity)

    def cutter(self) -> Callable[[Stream, bytes, float], list[Piece]]:
        """Return what makes pieces of the bytes of one new connection."""
        return lambda _, data, arrived_at: [Piece(data=data, arrived_at=arrived_at)]

    def _do(self, what: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, HOST, self.port, backlog=1000)

    async def _refuse(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in self._connections:
            connection.reset()
        for each in self._serving:
            each.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _have(self, toxics: Sequence[Toxic]) -> None:
        self.toxics = toxics
        self.changed.set()
        self.changed = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._served)
        try:
            onward = await asyncio.open_connection(HOST, self.upstream_port)
            connection = Connection(self, (reader, writer), onward)
            self._connections.add(connection)
            try:
                await connection.run()
            finally:
                self._connections.discard(connection)
        except OSError:  # nobody listens there
            pass
        except asyncio.CancelledError:  # by `_refuse` alone; a server of asyncio's complains of handlers that end so
            pass
        finally:
            reset(writer)

    def _served(self, task: asyncio.Task[Any]) -> None:
        self._serving.discard(task)
        if (wrong := task.exception()) is not None:
            self._wrong.append(wrong)


End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connection:
    """A client's connection and the one that was made for it, and the two ways between them."""

    def __init__(self, proxy: Proxy, client: End, server: End) -> None:
        """Join *client* and *server*."""
        self.proxy = proxy
        self.cut = proxy.cutter()
        self._writers = (client[1], server[1])
        self._ways = (OneWay(self, UP, client[0], server[1]), OneWay(self, DOWN, server[0], client[1]))
        self._handing_on: asyncio.Task[Any] | None = None
        self._spoilt: dict[Toxic, bool] = {}

    async def run(self) -> None:
        """Hand on whatever comes until both sides have ended, or one was reset."""
        self._handing_on = asyncio.create_task(self._hand_on())
        try:
            await asyncio.wait({self._handing_on})
        finally:
            self.reset()
            await asyncio.wait({self._handing_on})
        if not self._handing_on.cancelled():
            self._handing_on.result()

    async def _hand_on(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for way in self._ways:
                    group.create_task(way.take())
                    group.create_task(way.give())
            for writer in self._writers:
                writer.close()
                await writer.wait_closed()
        except* OSError:  # one side was reset, so the other one is
            pass

    def reset(self) -> None:
        """Send an RST to whichever side has not ended."""
        for writer in self._writers:
            reset(writer)
        if self._handing_on is not None:
            self._handing_on.cancel()

    def toxics(self, stream: Stream) -> list[Toxic]:
        """Return what is wrong with *stream* here, in the order in which it was put in place."""
        for toxic in self.proxy.toxics:
            if toxic.stream is stream and toxic not in self._spoilt:
                self._spoilt[toxic] = self.proxy.falls_to(toxic)
        return [toxic for toxic in self.proxy.toxics if toxic.stream is stream and self._spoilt[toxic]]


class OneWay:
    """Takes from one side at once, gives to the other as the toxics let it."""

    def __init__(
        self, connection: Connection, stream: Stream, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        """Lead from *source* to *target*."""
        self._connection = connection
        self._proxy = connection.proxy
        self._stream = stream
        self._source = source
        self._target = target
        self._held: asyncio.Queue[Piece | None] = asyncio.Queue(PIECES_HELD)
        self._passed: Counter[Toxic] = Counter()

    async def take(self) -> None:
        """Take what comes until the side that sends has ended."""
        while data := await self._source.read(PIECE_BYTES):
            for piece in self._connection.cut(self._stream, data, self.now()):
                await self._held.put(piece)
        await self._held.put(None)

    async def give(self) -> None:
        """Give what was taken, then the end."""
        while (piece := await self._held.get()) is not None:
            spoiling = self._connection.toxics(self._stream)
            await self._send(piece, [toxic for toxic in spoiling if toxic.only(piece)])
        if self._target.can_write_eof():
            self._target.write_eof()

    async def _send(self, piece: Piece, toxics: Sequence[Toxic]) -> None:
        if not toxics:
            self._target.write(piece.data)
            await self._target.drain()
            self._proxy.bytes_passed[self._stream] += len(piece.data)
            return
        first, *others = toxics
        async for part in first.let_through(piece, self):
            await self._send(part, others)
            self._passed[first] += len(part.data)

    def now(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

    def jitter(self) -> float:
        """Return the next figure between -1 and 1."""
        return self._proxy.random.uniform(-1, 1)

    def passed(self, toxic: Toxic) -> int:
        """Return how many bytes *toxic* has let through here."""
        return self._passed[toxic]

    def reset(self) -> None:
        """Reset the connection."""
        self._connection.reset()

    def refuse(self) -> None:
        """Reset all connections, and let no new one in."""
        self._proxy.refuse()

    async def wait_until(self, instant: float | None, toxic: Toxic) -> bool:
        """Return True at *instant*, False when *toxic* is gone."""
        try:
            async with asyncio.timeout_at(instant):
                while toxic in self._proxy.toxics:
                    await self._proxy.changed.wait()
        except TimeoutError:
            return True
        return False


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with an RST instead of an orderly end."""
    if (connection := writer.get_extra_info("socket")) is not None:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
