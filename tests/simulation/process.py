"""One life of a server, from its start to its stop or its sudden death, as the composition root builds it."""

import asyncio
import contextlib
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from random import Random
from unittest import mock

from structlog.testing import capture_logs
from structlog.typing import EventDict

from stagedoor.bootstrap.database import Database
from stagedoor.bootstrap.house import House, build
from stagedoor.bootstrap.stores import take_up_the_line
from stagedoor.http.services import Services
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.settings import Settings
from stagedoor.settings.loading import load
from tests.builders.sale import NOON
from tests.simulation.disk import Disk
from tests.simulation.virtual_time import VirtualClock, VirtualLoop


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that is up."""

    house: House
    services: Services
    clock: VirtualClock
    loop: VirtualLoop
    disk: Disk


Story = Callable[[Server], Awaitable[None]]


def settings_for(database: object, **figures: object) -> Settings:
    """Return settings over the file *database*; *figures* are settings by their names."""
    flags = {"database_url": f"sqlite:///{database}", "secret": "s" * 32, "identity": "demo"}
    return load(flags={**flags, **{name: str(value) for name, value in figures.items()}}, environ={})


def live(settings: Settings, story: Story, *, disk: Disk | None = None, started_s: float = 0.0) -> float:
    """
    Serve over the database of *settings* while *story* goes on; return when it was over, in seconds since noon.

    A story that ends stops the server in good order; where *disk* dies, the
    database is left as the death found it.
    """
    disk = Disk(settings.database_file) if disk is None else disk
    loop = VirtualLoop(started_s)
    disk.attach(loop)
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner, contextlib.suppress(asyncio.CancelledError):
            runner.run(_until_death(disk, _serve(settings, disk, loop, story)))
        return loop.time()
    finally:
        disk.close()


async def _until_death(disk: Disk, life: Awaitable[None]) -> None:
    this = asyncio.current_task()
    assert this is not None
    disk.on_death = this.cancel
    await life


async def _serve(settings: Settings, disk: Disk, loop: VirtualLoop, story: Story) -> None:
    clock = VirtualClock(loop, NOON)
    house, services = await build(
        settings, Database(lanes=disk.file, clock=clock), now_ns=lambda: round(loop.time() * 1_000_000_000)
    )
    await take_up_the_line(house.stores)
    async with asyncio.TaskGroup() as group:
        group.create_task(house.supervisor.run())
        await story(Server(house=house, services=services, clock=clock, loop=loop, disk=disk))
        await services.under_way.drain()
        house.stop()
    await house.stores.line.idle()
    await house.pulse.beat()


@contextlib.contextmanager
def seeded(random: Random) -> Iterator[list[str]]:
    """
    Let *random* make up what the server takes for unguessable, and keep its log off the terminal.

    Yields a list of what was logged that is neither a fault nor a cancellation: bugs of ours.
    """
    bugs: list[str] = []

    def note(_logger: object, _method: str, entry: EventDict) -> EventDict:
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, Fault | Rejection):
            bugs.append(f"{entry['event']}: {error!r}")
        return entry

    with (
        mock.patch.object(secrets, "randbits", random.getrandbits),
        mock.patch.object(secrets, "token_bytes", random.randbytes),
        mock.patch.object(secrets, "token_hex", lambda size: f"{random.getrandbits(8 * size):0{2 * size}x}"),
        capture_logs(processors=[note]),
    ):
        yield bugs
