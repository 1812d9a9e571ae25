"""Lines of several processes on one Redis, each with a client of its own; their record is one file."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.services import Redis
from stagedoor.adapters.bounded_lanes import BoundedLanes
from stagedoor.adapters.clock import SystemClock
from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.redis import log_entries
from stagedoor.adapters.redis.client import RedisClient, Reply
from stagedoor.adapters.redis.line import RedisLine
from stagedoor.adapters.redis.line_clock import LineClock
from stagedoor.adapters.redis.log_entries import Changed, UsedUp
from stagedoor.adapters.sql.audit_pen import SqlAuditPen
from stagedoor.adapters.sql.line_record import SqlLineRecord
from stagedoor.adapters.sql.tables import metadata
from stagedoor.kernel.clock import MINUTE_MS, Clock, Instant
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId, PlaceRef
from stagedoor.resilience.bulkhead import Bulkhead
from stagedoor.waiting_room.model import PlaceState, PlaceView, SignedPlace
from stagedoor.waiting_room.ports import Join, Joined, Turn, TurnReport
from stagedoor.waiting_room.room import Room
from tests.builders.line import a_ref
from tests.contract.line_stage import PassRecord, StageRooms

WAIT_S_MAX = 150.0
"""Nothing here takes nearly as long; who waits for it in vain is to fail and not to hang."""


class Process:
    """What one server process has of the line."""

    def __init__(  # noqa: PLR0913 -- two stores, and how it reads them
        self,
        url: str,
        file: SqliteFile,
        rooms: StageRooms,
        *,
        installation: str,
        read_again_ms: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.refusal: Fault | None = None
        self.client = RedisClient(url, guard=self.guard)
        self.rooms = rooms
        self.audit_pen = SqlAuditPen(_in_time(file))
        self.line = RedisLine(
            client=self.client,
            installation=installation,
            record=SqlLineRecord(file),
            audit_pen=self.audit_pen,
            rooms=rooms,
            clock=LineClock(clock or SystemClock(), own=SystemClock()),
            outage_credit_max_ms=30 * MINUTE_MS,
            read_again_ms=read_again_ms,
        )

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Let no call through while there is a *refusal*, as an open breaker does."""
        if self.refusal is not None:
            raise self.refusal
        yield

    async def ask(self, *command: bytes | str | int) -> Reply:
        """Send a command of a test's own."""
        return await self.client.command(*command, server=await self.client.serving())

    @property
    def room(self) -> Room:
        [room] = self.rooms.all()
        return room

    async def join(self, *buyers: int) -> list[int]:
        """Join; return the numbers."""
        numbers = []
        for joined in await self.line.join([Join(room=self.room, buyer_id=BuyerId(buyer)) for buyer in buyers]):
            assert isinstance(joined, Joined)
            numbers.append(int(joined.place.ref.number))
        return numbers

    async def turn(self, *, seats_free: bool = True) -> TurnReport:
        [report] = await self.line.turn([Turn(room=self.room, seats_free=seats_free)])
        return report

    async def look(self, number: int) -> PlaceView:
        """Look as a poll does."""
        ref = a_ref(number)
        await self.line.settled(ref)
        place = self.line.look_at_once(ref, telling=True)
        assert place is not None
        return place

    async def state(self, number: int) -> PlaceState:
        return (await self.look(number)).state

    async def come_back(self, place: PlaceView) -> PlaceView | None:
        """Poll with the token that was issued for *place*."""
        signed = SignedPlace(place.ref, place.buyer_id, place.token_expires_at)
        await self.line.settled(place.ref, signed=signed)
        return self.line.look_at_once(place.ref, telling=True)


def _in_time(file: SqliteFile) -> BoundedLanes:
    """Return lanes into *file* that begin nothing for somebody after her deadline, as a server's do."""
    return BoundedLanes(
        file,
        writes=Bulkhead("writes", at_once=1, waiting_max=10),
        reads=Bulkhead("reads", at_once=1, waiting_max=10),
    )


class Sleeping:
    """Stops a process between a turn's plan (or what another script does) and its arrival at the store, as SIGSTOP."""

    def __init__(self, process: Process, script: str = "turn") -> None:
        self._script = script
        self.reached = asyncio.Event()
        self._awake = asyncio.Event()
        self._run = process.client.run
        process.client.run = self._slow  # type: ignore[method-assign]

    async def _slow(
        self, script: str, keys: Sequence[bytes], arguments: Sequence[bytes | str | int], *, server: str
    ) -> Reply:
        if script == self._script:
            self.reached.set()
            await self._awake.wait()
        return await self._run(script, keys, arguments, server=server)

    def wake(self) -> None:
        self._awake.set()


class Stopped:
    """Holds up one of the calls of a process's record from when it was made, until it is let go."""

    def __init__(self, process: Process, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        record = process.line._record  # noqa: SLF001 -- as a database does that takes its time
        answer: Callable[..., object] = getattr(record, call)

        async def late(*asked: object, **more: object) -> object:
            self.reached.set()
            await self.go_on.wait()
            return await answer(*asked, **more)  # type: ignore[misc]

        monkeypatch.setattr(record, call, late)


class Town:
    """Any number of processes."""

    def __init__(self, url: str, file: SqliteFile, *rooms: Room, installation: str) -> None:
        self.url = url
        self.installation = installation
        self.file = file
        self.rooms = StageRooms()
        for room in rooms:
            self.rooms.set(room)
        self.processes: list[Process] = []

    def start(self, *, url: str = "", read_again_ms: int = 0, clock: Clock | None = None) -> Process:
        """Start another process, which reaches Redis at *url*, and takes the time from *clock*, or as the others do."""
        process = Process(
            url or self.url,
            self.file,
            self.rooms,
            installation=self.installation,
            read_again_ms=read_again_ms,
            clock=clock,
        )
        self.processes.append(process)
        return process

    async def leave_lease(self) -> None:
        """Let the lease of the leader run out."""
        await self.processes[0].ask("DEL", "stagedoor:{main}:lease")

    async def log(self) -> Sequence[log_entries.LogEntry]:
        """Return everything that stands in the log."""
        found = await self.processes[-1].ask("XRANGE", "stagedoor:{main}:log", "-", "+")
        return [log_entries.decode(fields[b"e"]) for _, fields in found]

    async def passes(self) -> Sequence[PassRecord]:
        """Return every pass there ever was, in the order of the store, from nothing but its log."""
        return passes_in(await self.log())


def passes_in(entries: Sequence[log_entries.LogEntry]) -> list[PassRecord]:
    """Return the passes that the log handed out, in its order, each with its end."""
    passes: list[PassRecord] = []
    for entry in entries:
        if isinstance(entry, UsedUp):
            passes = _ended(passes, entry.numbers, entry.at)
        if not isinstance(entry, Changed):
            continue
        passes = _ended(passes, [*(number for number, *_ in entry.ended), *entry.not_taken], entry.at)
        for number, returner, _ in entry.admitted:
            assert entry.terms is not None
            passes.append(
                PassRecord(
                    number=number,
                    returner=returner,
                    admitted_at=Instant(entry.at),
                    ended_at=None,
                    max_active=entry.terms[0],
                    session_ends_at=Instant(entry.terms[2]),
                    entered_at=None,
                )
            )
    return passes


def _ended(passes: list[PassRecord], numbers: Sequence[int], at: int) -> list[PassRecord]:
    over = set(numbers)
    return [
        replace(one, ended_at=Instant(at)) if one.number in over and one.ended_at is None else one for one in passes
    ]


@asynccontextmanager
async def a_town(url: str, folder: Path, *rooms: Room, installation: str = "ours") -> AsyncIterator[Town]:
    """Return a town with nobody in it, and close what was opened in it."""
    async with AsyncExitStack() as stack:
        file = SqliteFile(folder / "record.db")
        stack.push_async_callback(file.close)
        async with file.writing() as transaction:
            await transaction.run(metadata.create_all)
            await transaction.commit(proof=lambda _: False)
        town = Town(url, file, *rooms, installation=installation)
        try:
            yield town
        finally:
            for process in town.processes:
                await process.line.idle()
                await process.client.close()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return once *condition* holds; whoever asks does what brings it about."""
    async with asyncio.timeout(WAIT_S_MAX):
        while not await condition():  # noqa: ASYNC110 -- it is not told, it is brought about
            await asyncio.sleep(0.01)


async def lose(redis: Redis) -> None:
    """Kill the server, and start one that has what was saved, if that was ever done."""
    await asyncio.to_thread(redis.kill)
    await asyncio.to_thread(redis.start)


async def refreshed(process: Process) -> None:
    """Return once the process has all its rooms again."""

    async def is_refreshed() -> bool:
        try:
            await process.line.refresh()
        except Fault:
            return False
        return True

    await until(is_refreshed)


def ref_of(number: int) -> PlaceRef:
    return a_ref(number, MAIN_ROOM)
