"""Keys, rooms, members and their audit in a real database: the change and its entry are one transaction."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql import schema
from stagedoor.adapters.sql.audit import SqlAuditTrail
from stagedoor.adapters.sql.member_desk import SqlMemberDesk
from stagedoor.adapters.sql.operator_keys import KeyRefused, SqlOperatorKeys
from stagedoor.adapters.sql.room_changes import SqlRoomDesk
from stagedoor.adapters.sql.tables import audit, member, operator_key, room, wallet
from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.ids import BuyerId, RoomId
from stagedoor.operators.model import Role, key_digest
from stagedoor.waiting_room.rejections import RoomIsClosed, UnknownRoom
from stagedoor.waiting_room.room import RoomDefaults, RoomPolicy, RoomState
from stagedoor.waiting_room.room_change import ImpossibleRoomChange, RoomAction, RoomChange

NOON = Instant(1_800_000_000_000)
MAIN = RoomId("main")
DEFAULTS = RoomPolicy(max_active=77, rate=2.5)


def _lay_out(connection: Connection) -> None:
    schema.upgrade(connection)
    connection.execute(insert(room).values(id="main", name="Main", state="OPEN", version=1))


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    opened = SqliteFile(tmp_path / "stagedoor.db")
    async with opened.writing() as transaction:
        await transaction.run(_lay_out)
        await transaction.commit(proof=lambda _: True)
    yield opened
    await opened.close()


@pytest.fixture
def desk(file: SqliteFile) -> SqlRoomDesk:
    return SqlRoomDesk(file, ManualClock(NOON), defaults=RoomDefaults(policy=DEFAULTS))


@pytest.fixture
def keys(file: SqliteFile) -> SqlOperatorKeys:
    return SqlOperatorKeys(file, ManualClock(NOON))


async def told(file: SqliteFile) -> list[tuple[str, str, str]]:
    records = await SqlAuditTrail(file).newest(limit=100)
    return [(record.entry.actor, record.entry.action, record.entry.subject) for record in reversed(records)]


class TestKeys:
    async def test_only_the_digest_is_stored(self, keys: SqlOperatorKeys, file: SqliteFile) -> None:
        secret = await keys.create_key("ann", Role.VIEW, actor="cli:root")

        [stored] = await keys.all()
        assert (stored.name, stored.role, stored.created_at, stored.revoked_at) == ("ann", Role.VIEW, NOON, None)
        assert stored.digest == key_digest(secret)
        assert secret.startswith("sdk_")
        assert len(secret) == len("sdk_") + 43
        assert secret.encode() not in b"".join(path.read_bytes() for path in file.path.parent.iterdir())

    async def test_every_change_is_audited(self, keys: SqlOperatorKeys, file: SqliteFile) -> None:
        await keys.create_key("ann", Role.MONEY, actor="cli:root")
        await keys.revoke_key("ann", actor="cli:root")

        assert await told(file) == [("cli:root", "key.create", "key:ann"), ("cli:root", "key.revoke", "key:ann")]
        assert (await keys.all())[0].revoked_at == NOON

    async def test_a_name_is_given_once(self, keys: SqlOperatorKeys) -> None:
        await keys.create_key("ann", Role.VIEW, actor="cli:root")
        with pytest.raises(KeyRefused, match="another name"):
            await keys.create_key("ann", Role.VIEW, actor="cli:root")
        await keys.revoke_key("ann", actor="cli:root")

        with pytest.raises(KeyRefused, match="another name"):
            await keys.create_key("ann", Role.MONEY, actor="cli:root")

    async def test_what_is_not_there_is_not_revoked(self, keys: SqlOperatorKeys) -> None:
        await keys.create_key("ann", Role.VIEW, actor="cli:root")
        await keys.revoke_key("ann", actor="cli:root")

        with pytest.raises(KeyRefused, match="no key named 'bob'"):
            await keys.revoke_key("bob", actor="cli:root")
        with pytest.raises(KeyRefused, match="revoked already"):
            await keys.revoke_key("ann", actor="cli:root")

    @pytest.mark.parametrize("name", ["", " ", "a b", "key:ann", "-ann", "é", "a" * 65, "ann\n"])
    async def test_a_name_has_to_be_one(self, keys: SqlOperatorKeys, name: str) -> None:
        with pytest.raises(KeyRefused, match="cannot name a key"):
            await keys.create_key(name, Role.VIEW, actor="cli:root")


class TestRooms:
    async def test_what_is_named_changes_and_the_rest_follows_the_settings(self, desk: SqlRoomDesk) -> None:
        changed = await desk.change(MAIN, RoomChange(policy={"max_active": 5}), actor="key:ann")

        assert changed.policy == RoomPolicy(max_active=5, rate=2.5)
        assert changed.version == 2

    async def test_none_follows_the_setting_again(self, desk: SqlRoomDesk) -> None:
        await desk.change(MAIN, RoomChange(policy={"max_active": 5, "rate": 9}), actor="key:ann")

        changed = await desk.change(MAIN, RoomChange(policy={"max_active": None}), actor="key:ann")

        assert changed.policy == RoomPolicy(max_active=77, rate=9)

    async def test_each_change_leaves_what_was_and_what_is(self, desk: SqlRoomDesk, file: SqliteFile) -> None:
        change = RoomChange(policy={"rate": 9}, opens_at=Instant(NOON + 1))
        await desk.change(MAIN, change, actor="key:ann")
        await desk.act(MAIN, RoomAction.OPEN, actor="cli:root")

        opened, changed = await SqlAuditTrail(file).newest(limit=10)
        assert (changed.entry.actor, changed.entry.action, changed.entry.subject) == (
            "key:ann",
            "room.set",
            "room:main",
        )
        assert changed.entry.detail == {
            "version": 2,
            "changed": {"rate": {"from": None, "to": 9}, "opens_at": {"from": None, "to": NOON + 1}},
        }
        assert (opened.entry.actor, opened.entry.action) == ("cli:root", "room.open")
        assert opened.entry.detail == {"version": 3, "changed": {"opens_at": {"from": NOON + 1, "to": NOON}}}

    async def test_open_pause_close(self, desk: SqlRoomDesk) -> None:
        states = [
            (await desk.act(MAIN, action, actor="key:ann")).state
            for action in (RoomAction.PAUSE, RoomAction.OPEN, RoomAction.CLOSE, RoomAction.OPEN)
        ]

        assert states == [RoomState.PAUSED, RoomState.OPEN, RoomState.CLOSED, RoomState.OPEN]

    async def test_a_refused_change_leaves_nothing(self, desk: SqlRoomDesk, file: SqliteFile) -> None:
        await desk.act(MAIN, RoomAction.CLOSE, actor="key:ann")

        with pytest.raises(RoomIsClosed):
            await desk.act(MAIN, RoomAction.PAUSE, actor="key:ann")
        with pytest.raises(ImpossibleRoomChange):
            await desk.change(MAIN, RoomChange(opens_at=NOON, closes_at=NOON), actor="key:ann")
        with pytest.raises(UnknownRoom):
            await desk.act(RoomId("vip"), RoomAction.CLOSE, actor="key:ann")
        with pytest.raises(UnknownRoom):
            await desk.change(RoomId("vip"), RoomChange(opens_at=NOON), actor="key:ann")

        assert len(await told(file)) == 1

    async def test_two_changes_at_once_are_two_versions(self, desk: SqlRoomDesk) -> None:
        rooms = await asyncio.gather(
            *(desk.change(MAIN, RoomChange(policy={"max_active": figure}), actor="key:ann") for figure in range(5))
        )

        assert sorted(room.version for room in rooms) == [2, 3, 4, 5, 6]


class TestMembers:
    async def test_members_are_made_once(self, file: SqliteFile) -> None:
        members = SqlMemberDesk(file, ManualClock(NOON))

        first = await members.add([BuyerId(number) for number in (3, 1, 2, 2)], actor="key:ann")
        second = await members.add([BuyerId(number) for number in (2, 4)], actor="key:ann")

        assert (first.added, first.known) == (3, 0)
        assert (second.added, second.known) == (1, 1)
        assert await file.reading(lambda c: c.execute(select(member.c.id).order_by("id")).scalars().all()) == [
            1,
            2,
            3,
            4,
        ]
        assert await file.reading(lambda c: c.execute(select(wallet.c.balance_won)).scalars().all()) == [0] * 4
        assert await told(file) == [("key:ann", "members.add", "members")] * 2

    async def test_many_at_once(self, file: SqliteFile) -> None:
        added = await SqlMemberDesk(file, ManualClock(NOON)).add(
            [BuyerId(number) for number in range(1, 25_001)], actor="key:ann"
        )

        assert added.added == 25_000


class TestAudit:
    async def test_page_by_page(self, desk: SqlRoomDesk, file: SqliteFile) -> None:
        for _ in range(5):
            await desk.act(MAIN, RoomAction.OPEN, actor="key:ann")
        trail = SqlAuditTrail(file)

        newest = await trail.newest(limit=2)
        older = await trail.newest(limit=10, before_id=newest[-1].id)

        assert [record.id for record in (*newest, *older)] == [5, 4, 3, 2, 1]

    @pytest.mark.parametrize("tampering", [update(audit).values(actor="nobody"), delete(audit)])
    async def test_nothing_can_be_changed_or_removed(
        self, desk: SqlRoomDesk, file: SqliteFile, tampering: object
    ) -> None:
        await desk.act(MAIN, RoomAction.OPEN, actor="key:ann")

        async with file.writing() as transaction:
            with pytest.raises(IntegrityError, match="append-only"):
                await transaction.run(lambda connection: connection.execute(tampering))  # type: ignore[call-overload]

        assert await told(file) == [("key:ann", "room.open", "room:main")]

    async def test_a_change_whose_entry_cannot_be_written_does_not_happen(
        self, desk: SqlRoomDesk, keys: SqlOperatorKeys, file: SqliteFile
    ) -> None:
        async with file.writing() as transaction:
            await transaction.run(
                lambda connection: connection.exec_driver_sql("ALTER TABLE audit RENAME TO elsewhere")
            )
            await transaction.commit(proof=lambda _: True)

        with pytest.raises(Exception, match="no such table"):
            await desk.act(MAIN, RoomAction.CLOSE, actor="key:ann")
        with pytest.raises(Exception, match="no such table"):
            await keys.create_key("ann", Role.VIEW, actor="cli:root")

        assert await file.reading(lambda c: c.execute(select(room.c.state)).scalar_one()) == "OPEN"
        assert await file.reading(lambda c: c.execute(select(operator_key)).all()) == []
