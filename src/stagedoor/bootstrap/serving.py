"""A server's life: open, take up what was left, serve, drain, close."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from pathlib import Path

import structlog
import uvloop

from stagedoor.bootstrap.database import serving
from stagedoor.bootstrap.descriptors import room_for
from stagedoor.bootstrap.fleet import Fleet, Mate
from stagedoor.bootstrap.house import build
from stagedoor.bootstrap.mates import METRICS, Answers, Mates, meeting_place
from stagedoor.bootstrap.preparing import prepare
from stagedoor.bootstrap.stopping import CLOSING_S, DRAIN_NOTICE_S, LastResort, stop_on_signal
from stagedoor.bootstrap.stores import take_up_the_line
from stagedoor.http.app import create_app
from stagedoor.http.edge import identity_headers
from stagedoor.http.hot import HotCalls
from stagedoor.http.newcomers import turn_newcomers_away
from stagedoor.http.ops_breakers import ABOUT_BREAKERS, answer_mate
from stagedoor.http.protocol import Patience
from stagedoor.http.server import HttpServer, base_url, listen
from stagedoor.kernel.errors import Fault
from stagedoor.observability.fleet_metrics import page_of
from stagedoor.observability.logs import set_up
from stagedoor.settings import Settings

log = structlog.get_logger(__name__)

TURNED_AWAY_BEFORE_S = 0.05
"""So long before its workers stop to accept, the parent of a fleet has the kernel ignore newcomers."""

YOUNG_OBJECTS, OLDER_GENERATIONS = 20_000, (20, 50)
"""
When to search for cycles, as `gc.set_threshold` takes it.

A request makes some hundred objects and leaves hardly one of them behind; at
Python's own 700 every few requests are searched through, a tenth of all
processor time in a sale. What waits 20,000 objects for its search is a few MB.
"""


def serve(settings: Settings, *, demo: bool, announce: Callable[[str], None]) -> int:
    """
    Serve until SIGTERM or Ctrl-C; return the exit code.

    *announce* is told the base URL once the first request would be answered.
    Raises what keeps a server from starting: `AddressInUse`, `FileInUse`,
    `SettingsError`, `UnknownSchema`, a `Fault` of the database, or OSError.
    """
    set_up(style=settings.log_format, level=settings.log_level)
    with contextlib.closing(listen(settings.host, settings.port)) as listener:
        if settings.workers == 1:
            return _run(_Process(settings, listener, demo=demo, ready=lambda: announce(base_url(listener))))
        with meeting_place() as folder:
            return Fleet(
                settings.workers,
                lambda mate: _run(_Process(settings, listener, demo=demo, ready=mate.ready, mate=mate, folder=folder)),
                all_ready=lambda: announce(base_url(listener)),
                turn_away=lambda: turn_newcomers_away(listener),
                notice_s=DRAIN_NOTICE_S - TURNED_AWAY_BEFORE_S,
                stop_s=_stop_s(settings) + CLOSING_S,
            ).run()


@dataclass(frozen=True, slots=True)
class _Process:
    """One process that serves on *listener*: alone, or as *mate* of a fleet that meets in *folder*."""

    settings: Settings
    listener: socket.socket
    _: KW_ONLY
    demo: bool
    ready: Callable[[], None]
    mate: Mate | None = None
    folder: Path | None = None


def _run(process: _Process) -> int:
    """Serve to the end; return the exit code."""
    if process.mate is not None:
        structlog.contextvars.bind_contextvars(worker=process.mate.slot)
    last_resort = LastResort(_stop_s(process.settings))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(process, last_resort))
    last_resort.call_off()
    return 0


def _stop_s(settings: Settings) -> float:
    return DRAIN_NOTICE_S + settings.drain_seconds + CLOSING_S


async def _serve(process: _Process, last_resort: LastResort) -> None:
    settings, mate = process.settings, process.mate
    async with serving(settings) as database, contextlib.AsyncExitStack() as stack:
        await prepare(database, settings, demo=process.demo)
        house, services = await build(settings, database)
        _ = await stack.enter_async_context(house.stores.closing)
        if mate is not None:
            assert process.folder is not None
            answers: Answers = {
                METRICS: lambda _: page_of(house.stores.metrics.registry),
                ABOUT_BREAKERS: partial(answer_mate, house.stores.breakers),
            }
            mates = Mates(process.folder, mate.slot, mate.size, answers)
            await stack.enter_async_context(mates.telling())
            services = replace(services, scrape=mates.scrape, fleet=mates)
        app = create_app(services)
        server = HttpServer(
            app,
            process.listener,
            ready=process.ready,
            patience=Patience(stop_s=settings.drain_seconds, connections_max=room_for(settings.connections_max)),
            metrics=services.metrics,
            headers=identity_headers(services.identity),
            hot=HotCalls(app),
            shared=mate is not None,
        )
        # Last: whatever may refuse the start has had its chance, and all the time until now is given back.
        await take_up_the_line(house.stores)
        collect_less()
        async with asyncio.TaskGroup() as group:
            group.create_task(house.supervisor.run())
            stopped_by = None if mate is None else mate.orphaned_fd
            group.create_task(stop_on_signal(house, server, last_resort, orphaned_fd=stopped_by))
            await server.serve()
            await services.under_way.drain()
            house.stop()
        await house.close()
        await house.stores.line.idle()
        # On a full disk the last pulse that was written counts, so the time since then is given back as well.
        with contextlib.suppress(Fault):
            await house.stores.audit_pen.settle()
            await house.pulse.beat()


def collect_less() -> None:
    """Leave what the start has made out of every search for cycles, and search only among many new objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *OLDER_GENERATIONS)
