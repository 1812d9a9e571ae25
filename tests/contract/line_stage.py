"""What a waiting line is put on for the contract suite: rooms, a clock, crashes, and a store that fails on demand."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TypeVar

from stagedoor.adapters.embedded.line import EmbeddedLine
from stagedoor.adapters.embedded.line_restore import credit_passes
from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql.lanes import Lanes, Step, WriteTransaction
from stagedoor.adapters.sql.tables import metadata
from stagedoor.kernel.clock import DAY_MS, Instant, ManualClock, Outage, later
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId, HoldId, RoomId
from stagedoor.waiting_room.model import EndCause, LineView, PlaceState, PlaceView
from stagedoor.waiting_room.ports import (
    EndPlace,
    HoldNote,
    Join,
    Joined,
    LineLeftovers,
    PlaceEnded,
    Rooms,
    Turn,
    TurnReport,
    WaitingLine,
)
from stagedoor.waiting_room.room import Room
from tests.builders.line import NOON, a_ref

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRecord:
    """A pass as the store has it, in the order of admission."""

    number: int
    returner: bool
    admitted_at: Instant
    ended_at: Instant | None
    max_active: int
    session_ends_at: Instant
    entered_at: Instant | None


class StageRooms(Rooms):
    """Rooms that a test sets."""

    def __init__(self) -> None:
        self._rooms: dict[RoomId, Room] = {}

    def set(self, room: Room) -> None:
        self._rooms[room.id] = room

    def get(self, room_id: RoomId) -> Room | None:
        return self._rooms.get(room_id)

    def all(self) -> Sequence[Room]:
        return list(self._rooms.values())


class Failing(Enum):
    """How the store's next commits go."""

    NOT = auto()
    REFUSED = auto()
    ANSWER_LOST = auto()
    ANSWER_LOST_AND_NOBODY_CAN_SAY = auto()
    REFUSED_AND_NOBODY_CAN_SAY = auto()


class Stage(ABC):
    """A line, and what surrounds it."""

    line: WaitingLine
    leftovers: LineLeftovers

    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.rooms = StageRooms()
        self.failing = Failing.NOT
        self.seats_free = True
        self.commits = 0
        self._may_commit = asyncio.Event()
        self._may_commit.set()
        self._committing = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._writing = asyncio.Event()

    @abstractmethod
    async def crash(self, *, outage_ms: int = 0) -> None:
        """Lose the process and start another *outage_ms* later."""

    @abstractmethod
    async def stand_still(self, outage_ms: int, *, began_ms_ago: int = 0) -> None:
        """Let *outage_ms* pass in which nobody can be served, and give them back with those it began before."""

    @abstractmethod
    async def passes(self, room_id: RoomId = MAIN_ROOM) -> Sequence[PassRecord]:
        """Return every pass ever handed out."""

    @abstractmethod
    async def audited(self) -> Sequence[tuple[str, str, str]]:
        """Return actor, action and subject of every audit entry."""

    @abstractmethod
    async def rows(self) -> tuple[int, int, int]:
        """Count the stored places, passes and keys."""

    async def forget(self) -> int:
        """Forget what was kept for a day, until there is nothing left to forget."""
        day_ago = later(self.clock.now(), -DAY_MS)
        forgotten = 0
        while some := await self.leftovers.forget(ended_before=day_ago, keys_before=day_ago, limit=1_000):
            forgotten += some
        return forgotten

    def hold_writing(self) -> None:
        """Let the next transaction for writing wait for its lock."""
        self._may_write.clear()

    def let_writing_go(self) -> None:
        self._may_write.set()

    async def until_writing(self) -> None:
        """Return when somebody waits for the lock."""
        await self._writing.wait()

    async def writing_gate(self) -> None:
        """Pass when the lock can be had."""
        self._writing.set()
        await self._may_write.wait()
        self._writing.clear()

    def hold_commits(self) -> None:
        """Let the next commit begin, but not end."""
        self._may_commit.clear()

    def let_commits_go(self) -> None:
        self._may_commit.set()

    async def until_committing(self) -> None:
        """Return when a commit is under way."""
        await self._committing.wait()

    async def commit_gate(self) -> None:
        """Pass when commits may end."""
        self.commits += 1
        self._committing.set()
        await self._may_commit.wait()
        self._committing.clear()

    def room(self, room_id: RoomId = MAIN_ROOM) -> Room:
        room = self.rooms.get(room_id)
        assert room is not None
        return room

    async def try_join(
        self, *buyers: int, room_id: RoomId = MAIN_ROOM, key: IdempotencyKey | None = None
    ) -> Sequence[Joined | Rejection]:
        room = self.room(room_id)
        return await self.line.join([Join(room=room, buyer_id=BuyerId(buyer), key=key) for buyer in buyers])

    async def join(self, *buyers: int, room_id: RoomId = MAIN_ROOM, key: IdempotencyKey | None = None) -> list[int]:
        """Join; return the numbers."""
        numbers: list[int] = []
        for joined in await self.try_join(*buyers, room_id=room_id, key=key):
            assert isinstance(joined, Joined)
            numbers.append(joined.place.ref.number)
        return numbers

    async def turn(self, after_ms: int = 0) -> Sequence[TurnReport]:
        self.clock.advance(after_ms)
        return await self.line.turn([Turn(room=room, seats_free=self.seats_free) for room in self.rooms.all()])

    async def look(self, number: int, room_id: RoomId = MAIN_ROOM) -> PlaceView:
        place = await self.line.look(a_ref(number, room_id), telling=True)
        assert place is not None
        return place

    async def states(self, *numbers: int) -> list[PlaceState]:
        return [(await self.look(number)).state for number in numbers]

    async def end(
        self, number: int, cause: EndCause = EndCause.LEFT, *, key: IdempotencyKey | None = None, by: str | None = None
    ) -> PlaceEnded | Rejection:
        [outcome] = await self.line.end([EndPlace(ref=a_ref(number), cause=cause, key=key, by=by)])
        return outcome

    async def note_hold(self, number: int, hold: int, *, for_ms: int | None) -> None:
        until = None if for_ms is None else later(self.clock.now(), for_ms)
        await self.line.note_holds([HoldNote(ref=a_ref(number), hold_id=HoldId(hold), until=until)])

    def view(self, room_id: RoomId = MAIN_ROOM) -> LineView:
        return self.line.view(room_id)


class EmbeddedStage(Stage):
    """The embedded line on a file of its own."""

    line: EmbeddedLine

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._files: list[SqliteFile] = []

    async def start(self, *, outage_ms: int = 0) -> None:
        file = SqliteFile(self._path)
        self._files.append(file)
        self.line = EmbeddedLine(lanes=FaultyLanes(file, self), clock=self.clock, rooms=self.rooms)
        self.leftovers = self.line
        if outage_ms:
            now = self.clock.now()
            await self._credit(Outage(later(now, -outage_ms), now, outage_ms))
        await self.line.restore(at=self.clock.now())

    async def make_schema(self) -> None:
        file = SqliteFile(self._path)
        async with file.writing() as transaction:
            await transaction.run(metadata.create_all)
            await transaction.commit(proof=lambda _: False)
        await file.close()

    async def stand_still(self, outage_ms: int, *, began_ms_ago: int = 0) -> None:
        began_at = later(self.clock.now(), -began_ms_ago)
        outage = Outage(began_at, self.clock.advance(outage_ms), outage_ms + began_ms_ago)
        await self._credit(outage)
        self.line.give_back(outage)

    async def _credit(self, outage: Outage) -> None:
        async with self._files[-1].writing() as transaction:
            await transaction.run(lambda connection: credit_passes(connection, outage))
            await transaction.commit(proof=lambda _: False)

    async def crash(self, *, outage_ms: int = 0) -> None:
        self.clock.advance(outage_ms)
        await self.start(outage_ms=outage_ms)

    async def passes(self, room_id: RoomId = MAIN_ROOM) -> Sequence[PassRecord]:
        rows = await self._files[-1].reading(
            lambda connection: connection.exec_driver_sql(
                "SELECT number, returner, admitted_at, ended_at, max_active, session_ends_at, entered_at "
                "FROM admission_pass WHERE room_id = ? ORDER BY sequence",
                (room_id,),
            ).all()
        )
        return [PassRecord(**row._mapping) for row in rows]  # noqa: SLF001 -- the row's public name for its columns

    async def audited(self) -> Sequence[tuple[str, str, str]]:
        rows = await self._files[-1].reading(
            lambda connection: connection.exec_driver_sql("SELECT actor, action, subject FROM audit ORDER BY id").all()
        )
        return [(row[0], row[1], row[2]) for row in rows]

    async def rows(self) -> tuple[int, int, int]:
        query = (
            "SELECT (SELECT COUNT(*) FROM place), (SELECT COUNT(*) FROM admission_pass), "
            "(SELECT COUNT(*) FROM line_key)"
        )
        [(places, passes, keys)] = await self._files[-1].reading(lambda c: c.exec_driver_sql(query).all())
        return places, passes, keys

    async def close(self) -> None:
        self.let_writing_go()
        self.let_commits_go()
        await self.line.idle()
        for file in self._files:
            await file.close()


class FaultyLanes(Lanes):
    """A file whose commits go as the stage says."""

    def __init__(self, file: SqliteFile, stage: Stage) -> None:
        self._file = file
        self._stage = stage

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        await self._stage.writing_gate()
        async with self._file.writing() as transaction:
            yield _FaultyTransaction(transaction, self._stage)

    async def reading(self, step: Step[T]) -> T:
        if self._stage.failing in {Failing.ANSWER_LOST_AND_NOBODY_CAN_SAY, Failing.REFUSED_AND_NOBODY_CAN_SAY}:
            raise Fault("nobody can say")
        return await self._file.reading(step)


class _FaultyTransaction(WriteTransaction):
    def __init__(self, transaction: WriteTransaction, stage: Stage) -> None:
        self._transaction = transaction
        self._stage = stage

    async def run(self, step: Step[T]) -> T:
        return await self._transaction.run(step)

    async def commit(self, *, proof: Step[bool]) -> None:
        await self._stage.commit_gate()
        failing = self._stage.failing
        if failing in {Failing.REFUSED, Failing.REFUSED_AND_NOBODY_CAN_SAY}:
            raise Fault("the disk is full")
        await self._transaction.commit(proof=proof)
        if failing is not Failing.NOT:
            raise Fault("the answer to the commit was lost")


@asynccontextmanager
async def embedded_stage(path: Path) -> AsyncIterator[Stage]:
    """Start the embedded line on *path* and close what it opened."""
    stage = EmbeddedStage(path)
    await stage.make_schema()
    await stage.start()
    try:
        yield stage
    finally:
        await stage.close()
