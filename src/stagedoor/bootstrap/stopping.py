"""How a server stops: it drains, and if that takes too long, it goes all the same."""

import asyncio
import contextlib
import os
import signal
import sys
import threading

import structlog

from stagedoor.bootstrap.house import House
from stagedoor.http.server import HttpServer

log = structlog.get_logger(__name__)

DRAIN_NOTICE_S = 1.0
"""For so long a server told to stop still takes new connections, while `readyz` sends them elsewhere."""

CLOSING_S = 1.5
"""For so long after the drain what runs beside the edge may take to end."""

FAREWELL_S = 0.5
"""For so long the last line of the log may take."""


class LastResort:
    """
    Ends the process where a stop does not come to its end.

    Somebody else may keep the database, and a thread that waits for it cannot
    be called off. Everything that was answered is stored by then, so to go
    without a farewell loses nothing.
    """

    def __init__(self, after_s: float) -> None:
        """Wait for *after_s* from `begin` on."""
        self._timer = threading.Timer(after_s, _go)
        self._timer.daemon = True

    def begin(self) -> None:
        """Begin to wait: the process was told to stop. Doing it twice is harmless."""
        if self._timer.ident is None:
            self._timer.start()

    def call_off(self) -> None:
        """End nothing any more: the process stops by itself."""
        self._timer.cancel()


async def stop_on_signal(
    house: House, server: HttpServer, last_resort: LastResort, *, orphaned_fd: int | None = None
) -> None:
    """
    Drain at SIGTERM, which a machine sends; stop at once at Ctrl-C, which a person does.

    A worker drains too when *orphaned_fd* becomes readable: its parent is gone,
    and nobody would ever stop it.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    notice = asyncio.Event()

    def terminate() -> None:
        last_resort.begin()
        house.drain()
        told.set()

    def interrupt() -> None:
        terminate()
        notice.set()

    loop.add_signal_handler(signal.SIGTERM, terminate)
    loop.add_signal_handler(signal.SIGINT, interrupt)
    if orphaned_fd is not None:
        loop.add_reader(orphaned_fd, terminate)
    await told.wait()
    if orphaned_fd is not None:
        # What is readable once stays so.
        loop.remove_reader(orphaned_fd)
    log.info("server.draining")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_NOTICE_S):
            await notice.wait()
    server.stop()


def _go() -> None:
    # Whoever should read the line may be gone, or not reading: then it is not waited for either.
    farewell = threading.Thread(target=_say_farewell, daemon=True)
    farewell.start()
    farewell.join(FAREWELL_S)
    os._exit(0)


def _say_farewell() -> None:
    with contextlib.suppress(Exception):
        log.warning("server.stop_cut_short", hint="something else keeps the database, or a disk does not answer")
        sys.stdout.flush()
