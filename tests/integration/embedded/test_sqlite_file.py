"""The SQLite lanes: what is committed stays, what is not is gone, and a lost answer is looked up."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from stagedoor.adapters.embedded.sqlite_file import FileInUse, ServingLock, SqliteFile
from stagedoor.adapters.sql.lanes import DatabaseFault


def _make(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE fact (id INTEGER PRIMARY KEY, word TEXT NOT NULL)"))


def _add(connection: Connection, number: int) -> None:
    connection.execute(text("INSERT INTO fact VALUES (:id, 'said')"), {"id": number})


def _ids(connection: Connection) -> list[int]:
    return list(connection.execute(text("SELECT id FROM fact ORDER BY id")).scalars())


def _is_there(number: int, connection: Connection) -> bool:
    return number in _ids(connection)


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    opened = SqliteFile(tmp_path / "with a space.db")
    async with opened.writing() as transaction:
        await transaction.run(_make)
        await transaction.commit(proof=lambda _: True)
    yield opened
    await opened.close()


async def _commit(file: SqliteFile, number: int) -> None:
    async with file.writing() as transaction:
        await transaction.run(lambda connection: _add(connection, number))
        await transaction.commit(proof=lambda connection: _is_there(number, connection))


async def test_the_log_is_synced_by_each_commit(file: SqliteFile) -> None:
    def pragmas(connection: Connection) -> tuple[object, object]:
        return (
            connection.exec_driver_sql("PRAGMA journal_mode").scalar(),
            connection.exec_driver_sql("PRAGMA synchronous").scalar(),
        )

    async with file.writing() as transaction:
        assert await transaction.run(pragmas) == ("wal", 2)


async def test_leaving_without_a_commit_undoes(file: SqliteFile) -> None:
    async with file.writing() as transaction:
        await transaction.run(lambda connection: _add(connection, 1))

    assert await file.reading(_ids) == []


async def test_an_exception_in_the_middle_undoes_and_the_next_transaction_works(file: SqliteFile) -> None:
    async def adds_twice() -> None:
        async with file.writing() as transaction:
            await transaction.run(lambda connection: _add(connection, 1))
            await transaction.run(lambda connection: _add(connection, 1))

    with pytest.raises(IntegrityError):
        await adds_twice()
    await _commit(file, 2)

    assert await file.reading(_ids) == [2]


async def test_a_cancelled_writer_leaves_nothing_behind(file: SqliteFile) -> None:
    inside = asyncio.Event()

    async def writes_and_waits() -> None:
        async with file.writing() as transaction:
            await transaction.run(lambda connection: _add(connection, 1))
            inside.set()
            await asyncio.Event().wait()

    writer = asyncio.ensure_future(writes_and_waits())
    await inside.wait()
    writer.cancel()
    await asyncio.gather(writer, return_exceptions=True)
    await _commit(file, 2)

    assert await file.reading(_ids) == [2]


async def test_two_coroutines_take_turns(file: SqliteFile) -> None:
    await asyncio.gather(*(_commit(file, number) for number in range(20)))

    assert await file.reading(_ids) == list(range(20))


async def test_a_reader_does_not_see_what_is_not_committed(file: SqliteFile) -> None:
    async with file.writing() as transaction:
        await transaction.run(lambda connection: _add(connection, 1))
        seen = await file.reading(_ids)
        await transaction.commit(proof=lambda _: True)

    assert seen == []
    assert await file.reading(_ids) == [1]


@pytest.mark.parametrize(("happened", "outcome"), [(True, [1]), (False, [])])
async def test_a_commit_whose_answer_was_lost_is_looked_up(
    file: SqliteFile, monkeypatch: pytest.MonkeyPatch, *, happened: bool, outcome: list[int]
) -> None:
    commit = Connection.commit

    def loses_the_answer(connection: Connection) -> None:
        monkeypatch.setattr(Connection, "commit", commit)
        if happened:
            connection.commit()
        raise DatabaseFault("the answer was lost")

    async with file.writing() as transaction:
        await transaction.run(lambda connection: _add(connection, 1))
        monkeypatch.setattr(Connection, "commit", loses_the_answer)
        committing = transaction.commit(proof=lambda connection: _is_there(1, connection))
        if happened:
            await committing
        else:
            with pytest.raises(DatabaseFault):
                await committing

    assert await file.reading(_ids) == outcome


def test_only_one_may_serve_from_a_file(tmp_path: Path) -> None:
    first = ServingLock(tmp_path / "stagedoor.db")
    with pytest.raises(FileInUse):
        ServingLock(tmp_path / "stagedoor.db")

    first.release()
    ServingLock(tmp_path / "stagedoor.db").release()


async def test_nobody_else_may_read_what_is_in_it(file: SqliteFile) -> None:
    await _commit(file, 1)

    files = [file.path.with_name(file.path.name + kind) for kind in ("", "-wal", "-shm")]

    assert [stat.S_IMODE(one.stat().st_mode) for one in files] == [0o600] * 3
