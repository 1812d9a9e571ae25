"""A write without room, a worker's or an operator's as much as a batch's, stops what would begin something new."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql.lanes import DatabaseFault, DatabaseFull, WriteTransaction
from stagedoor.adapters.sql.member_desk import SqlMemberDesk
from stagedoor.bootstrap.database import opened
from stagedoor.bootstrap.house import House, build
from stagedoor.bootstrap.preparing import prepare
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import BuyerId
from stagedoor.settings.loading import load

Write = Callable[[House], Awaitable[object]]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    flags = {"database_url": f"sqlite:///{tmp_path / 'stagedoor.db'}", "secret": "s" * 32, "identity": "demo"}
    settings = load(flags=flags, environ={})
    async with opened(settings) as database:
        await prepare(database, settings, demo=False)
        house, _ = await build(settings, database)
        async with house.stores.closing:
            yield house


async def pulse(house: House) -> object:
    return await house.pulse.beat()


async def tidy(house: House) -> object:
    return await house.stores.tidy.tidy(limit=1)


async def operator(house: House) -> object:
    desk = SqlMemberDesk(house.stores.lanes, house.stores.machine_clock)
    return await desk.add([BuyerId(1)], actor="key:ops")


def failing(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    @asynccontextmanager
    async def writing(_file: SqliteFile) -> AsyncIterator[WriteTransaction]:
        raise fault
        yield

    monkeypatch.setattr(SqliteFile, "writing", writing)


@pytest.mark.parametrize("write", [pulse, tidy, operator])
async def test_nothing_new_is_begun_after_it(house: House, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not house.stores.disk.is_low
    failing(monkeypatch, DatabaseFull("the table is full"))

    with pytest.raises(DatabaseFull):
        await write(house)

    assert house.stores.disk.is_low
    assert (await house.ready())["disk"] == "full: there was no room for a write"


@pytest.mark.parametrize("write", [pulse, tidy, operator])
async def test_another_fault_says_nothing_of_room(house: House, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, DatabaseFault("gone"))

    with pytest.raises(DatabaseFault):
        await write(house)

    assert not house.stores.disk.is_low
