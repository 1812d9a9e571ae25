"""The line on Redis, put on the stage of the contract suite: a real server, under a clock that is set."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from typing_extensions import override

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.redis import log_entries
from stagedoor.adapters.redis.client import RedisClient, Reply, StoreLost
from stagedoor.adapters.redis.line import RedisLine
from stagedoor.adapters.redis.line_clock import LineClock
from stagedoor.adapters.redis.log_entries import Heard
from stagedoor.adapters.sql.audit_pen import SqlAuditPen
from stagedoor.adapters.sql.line_record import SqlLineRecord
from stagedoor.adapters.sql.tables import metadata
from stagedoor.kernel.clock import Outage, later
from stagedoor.kernel.ids import MAIN_ROOM, RoomId
from tests.builders.line import a_ref
from tests.contract.line_stage import Failing, PassRecord, Stage

NOBODY_CAN_SAY = frozenset((Failing.ANSWER_LOST_AND_NOBODY_CAN_SAY, Failing.REFUSED_AND_NOBODY_CAN_SAY))
WRITING = frozenset(("append", "turn", "decide"))
CANDIDATE = APPENDED = 4
"""Where in the arguments of `catch_up` and `append` stands who would lead, and the log's entry."""


class FaultyClient(RedisClient):
    """A server that answers as the stage says."""

    def __init__(self, url: str, stage: Stage) -> None:
        super().__init__(url)
        self._stage = stage
        self._in_doubt = False

    @override
    async def run(
        self, script: str, keys: Sequence[bytes], arguments: Sequence[bytes | str | int], *, server: str
    ) -> Reply:
        stage = self._stage
        if script == "catch_up":
            if self._in_doubt and stage.failing in NOBODY_CAN_SAY:
                raise StoreLost("nobody can say")
            self._in_doubt = False
            if arguments[CANDIDATE]:
                await stage.writing_gate()
        if script not in WRITING or (script == "append" and _is_news(arguments[APPENDED])):
            return await super().run(script, keys, arguments, server=server)
        await stage.commit_gate()
        self._in_doubt = stage.failing in NOBODY_CAN_SAY
        failing = stage.failing
        if failing in {Failing.REFUSED, Failing.REFUSED_AND_NOBODY_CAN_SAY}:
            raise StoreLost("it did not arrive")
        reply = await super().run(script, keys, arguments, server=server)
        if failing is not Failing.NOT:
            raise StoreLost("the answer was lost")
        return reply


def _is_news(entry: bytes | str | int) -> bool:
    """Whether that is no decision, but what was heard of buyers."""
    assert isinstance(entry, bytes)
    return not entry or isinstance(log_entries.decode(entry), Heard)


class RedisStage(Stage):
    """The line on a Redis of its own, with its record in a file."""

    line: RedisLine

    def __init__(self, url: str, path: Path) -> None:
        super().__init__()
        self._url = url
        self._path = path
        self._clients: list[RedisClient] = []
        self._files: list[SqliteFile] = []

    async def start(self) -> None:
        file = SqliteFile(self._path)
        client = FaultyClient(self._url, self)
        self._files.append(file)
        self._clients.append(client)

        self.line = RedisLine(
            client=client,
            installation="stage",
            record=SqlLineRecord(file),
            audit_pen=SqlAuditPen(file),
            rooms=self.rooms,
            clock=LineClock(self.clock, own=self.clock),
            # Time that the test's own machine loses is none of the stage's.
            outage_credit_max_ms=0,
        )
        self.leftovers = self.line

    async def make_schema(self) -> None:
        file = SqliteFile(self._path)
        async with file.writing() as transaction:
            await transaction.run(metadata.create_all)
            await transaction.commit(proof=lambda _: False)
        await file.close()

    @override
    async def crash(self, *, outage_ms: int = 0) -> None:
        now = self.clock.advance(outage_ms)
        # By the time another process has started, the lease of the one that is gone has run out.
        await self._asked("DEL", *(f"stagedoor:{{{room.id}}}:lease" for room in self.rooms.all()))
        await self.start()
        if outage_ms:
            self.line.give_back(Outage(later(now, -outage_ms), now, outage_ms))
        await self.line.refresh()

    @override
    async def stand_still(self, outage_ms: int, *, began_ms_ago: int = 0) -> None:
        began_at = later(self.clock.now(), -began_ms_ago)
        self.line.give_back(Outage(began_at, self.clock.advance(outage_ms), outage_ms + began_ms_ago))

    @override
    async def passes(self, room_id: RoomId = MAIN_ROOM) -> Sequence[PassRecord]:
        await self.line.refresh()
        rows = await self._files[-1].reading(
            lambda connection: connection.exec_driver_sql(
                "SELECT number, returner, admitted_at, ended_at, max_active, session_ends_at, entered_at "
                "FROM admission_pass WHERE room_id = ? ORDER BY sequence",
                (room_id,),
            ).all()
        )
        return [PassRecord(**row._mapping) for row in rows]  # noqa: SLF001 -- the row's public name for its columns

    @override
    async def audited(self) -> Sequence[tuple[str, str, str]]:
        rows = await self._files[-1].reading(
            lambda connection: connection.exec_driver_sql("SELECT actor, action, subject FROM audit ORDER BY id").all()
        )
        return [(row[0], row[1], row[2]) for row in rows]

    @override
    async def rows(self) -> tuple[int, int, int]:
        await self.line.refresh()
        keys = await self._asked("HVALS", "stagedoor:{main}:keys")
        query = "SELECT COUNT(*) FROM admission_pass"
        [(passes,)] = await self._files[-1].reading(lambda c: c.exec_driver_sql(query).all())
        known = sum([await self.line.look(a_ref(number)) is not None for number in range(1, 20)])
        return known, passes, sum(len(msgspec.msgpack.decode(one)) for one in keys)

    async def _asked(self, *command: str) -> Reply:
        client = self._clients[-1]
        return await client.command(*command, server=await client.serving())

    async def close(self) -> None:
        self.let_writing_go()
        self.let_commits_go()
        await self.line.idle()
        for client in self._clients:
            await client.close()
        for file in self._files:
            await file.close()


@asynccontextmanager
async def redis_stage(url: str, path: Path) -> AsyncIterator[Stage]:
    """Start the line on the empty Redis at *url*, with its record in *path*, and close what it opened."""
    stage = RedisStage(url, path)
    await stage.make_schema()
    await stage.start()
    try:
        yield stage
    finally:
        await stage.close()
