"""A server's life: open, take up what was left, serve, drain, close."""

import asyncio
import contextlib
import gc
from collections.abc import Callable

import structlog
import uvloop
from sqlalchemy import Connection

from stagedoor.adapters.sql import demo as demo_data
from stagedoor.adapters.sql import schema
from stagedoor.adapters.sql.seeding import MAIN_ROOM_NAME, seed_room
from stagedoor.bootstrap.database import Database, serving
from stagedoor.bootstrap.descriptors import room_for
from stagedoor.bootstrap.house import build
from stagedoor.bootstrap.stopping import CLOSING_S, DRAIN_NOTICE_S, LastResort, stop_on_signal
from stagedoor.bootstrap.stores import take_up_the_line
from stagedoor.http.app import create_app
from stagedoor.http.edge import identity_headers
from stagedoor.http.hot import HotCalls
from stagedoor.http.protocol import Patience
from stagedoor.http.server import HttpServer, base_url, listen
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import MAIN_ROOM
from stagedoor.observability.logs import set_up
from stagedoor.settings import Settings

log = structlog.get_logger(__name__)

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
    last_resort = LastResort(DRAIN_NOTICE_S + settings.drain_seconds + CLOSING_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, last_resort, demo=demo, announce=announce))
    last_resort.call_off()
    return 0


async def _serve(settings: Settings, last_resort: LastResort, *, demo: bool, announce: Callable[[str], None]) -> None:
    with contextlib.closing(listen(settings.host, settings.port)) as listener:
        async with serving(settings) as database:
            await _prepare(database, settings, demo=demo)
            house, services = await build(settings, database.lanes, database.clock)
            app = create_app(services)
            server = HttpServer(
                app,
                listener,
                ready=lambda: announce(base_url(listener)),
                patience=Patience(stop_s=settings.drain_seconds, connections_max=room_for(settings.connections_max)),
                headers=identity_headers(services.identity),
                hot=HotCalls(app),
            )
            # Last: whatever may refuse the start has had its chance, and all the time until now is given back.
            await take_up_the_line(house.stores)
            collect_less()
            async with asyncio.TaskGroup() as group:
                group.create_task(house.supervisor.run())
                group.create_task(stop_on_signal(house, server, last_resort))
                await server.serve()
                await services.under_way.drain()
                house.stop()
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


async def _prepare(database: Database, settings: Settings, *, demo: bool) -> None:
    """Bring the schema up to date, make the demo where it is asked for and missing, and have a room `main`."""

    def write(connection: Connection) -> None:
        schema.upgrade(connection)
        if demo:
            demo_data.prepare(connection, now=database.clock.now(), time_zone=settings.time_zone)
        seed_room(connection, MAIN_ROOM, name=MAIN_ROOM_NAME)

    async with database.lanes.writing() as transaction:
        await transaction.run(write)
        # Nothing here is lost by being done again, so a commit without an answer is a start that failed.
        await transaction.commit(proof=lambda _: False)
