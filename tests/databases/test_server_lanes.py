"""A server's lanes: bounded in every way, and what the server undoes is done again where nobody was told of it."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Connection, Executable, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.util import await_only

from stagedoor.adapters.sql.lanes import DatabaseFault, DatabaseFull, RolledBack
from stagedoor.adapters.sql.server_lanes import SERVING, TRIES_MAX, LaneLimits, ServerLanes
from stagedoor.adapters.sql.server_url import UnfitURL
from stagedoor.adapters.sql.tables import member, wallet
from stagedoor.kernel.errors import DeadlineMissed, Fault
from tests.builders.sale import ANN, BALANCE, BOB
from tests.databases.moments import be_undone, come_to, find_no_room, lock_wallet, sleep

NARROW = replace(SERVING, writers=1, readers=1)
HASTY = LaneLimits(writers=1, readers=1, deadline_ms=1_000, statement_ms=999, lock_ms=999)


def set_balance(connection: Connection, buyer_id: int, balance_won: int) -> int:
    return connection.execute(
        update(wallet).where(wallet.c.buyer_id == buyer_id).values(balance_won=balance_won)
    ).rowcount


def balance(connection: Connection, buyer_id: int = ANN) -> int:
    return connection.scalar(select(wallet.c.balance_won).where(wallet.c.buyer_id == buyer_id)) or 0


def never(_connection: Connection) -> bool:
    raise AssertionError("the commit was answered, so nobody asks for a proof")


class TestTransactions:
    async def test_what_is_committed_is_there_and_what_is_not_is_not(self, lanes: ServerLanes) -> None:
        async with lanes.writing() as transaction:
            await transaction.run(lambda connection: set_balance(connection, ANN, 1))
            await transaction.commit(proof=never)
        async with lanes.writing() as transaction:
            await transaction.run(lambda connection: set_balance(connection, BOB, 2))

        assert await lanes.reading(balance) == 1
        assert await lanes.reading(lambda connection: balance(connection, BOB)) == BALANCE

    async def test_a_read_shows_one_instant(self, lanes: ServerLanes) -> None:
        async def meanwhile() -> None:
            async with lanes.writing() as transaction:
                await transaction.run(lambda connection: set_balance(connection, ANN, 7))
                await transaction.commit(proof=never)

        def twice(connection: Connection) -> tuple[int, int]:
            before = balance(connection)
            await_only(meanwhile())
            return before, balance(connection)

        assert await lanes.reading(twice) == (BALANCE, BALANCE)
        assert await lanes.reading(balance) == 7

    async def test_a_read_writes_nothing(self, lanes: ServerLanes) -> None:
        with pytest.raises(Fault):
            await lanes.reading(lambda connection: set_balance(connection, ANN, 7))

        assert await lanes.reading(balance) == BALANCE

    async def test_a_refusing_constraint_is_our_bug_and_no_fault(self, lanes: ServerLanes) -> None:
        for statement in (insert(member).values(id=ANN, created_at=1), update(wallet).values(balance_won=-1)):
            with pytest.raises(IntegrityError):
                async with lanes.writing() as transaction:
                    await transaction.run(partial(_execute, it=statement))

    async def test_a_disk_without_room_is_told_from_other_faults(self, lanes: ServerLanes) -> None:
        async with lanes.writing() as transaction:
            await transaction.run(lambda connection: set_balance(connection, ANN, 7))
            with pytest.raises(DatabaseFull):
                await transaction.run(find_no_room)

        assert await lanes.reading(balance) == BALANCE

    async def test_a_bug_in_a_step_costs_no_connection(self, database: str, lanes: ServerLanes) -> None:
        narrow = ServerLanes(database, NARROW)
        session = await narrow.reading(_session)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await narrow.reading(lambda _: 1 // 0)

        assert await narrow.reading(_session) == session
        await narrow.close()
        assert await lanes.reading(balance) == BALANCE


async def test_a_server_that_is_too_old_is_refused(lanes: ServerLanes, monkeypatch: pytest.MonkeyPatch) -> None:
    await lanes.refuse_unfit()
    monkeypatch.setattr(lanes.dialect, "oldest", (99, 1))

    with pytest.raises(UnfitURL, match=r"is (MariaDB|PostgreSQL) [0-9.]+, and 99\.1 is the oldest that will do"):
        await lanes.refuse_unfit()


class TestUndone:
    """The first step of a transaction is run again; whoever was told something decides anew."""

    async def test_two_that_lock_crosswise_both_come_through(self, lanes: ServerLanes) -> None:
        ready: dict[int, asyncio.Event] = {ANN: asyncio.Event(), BOB: asyncio.Event()}
        runs: list[int] = []

        async def move(first: int, second: int) -> None:
            def step(connection: Connection) -> None:
                runs.append(first)
                lock_wallet(connection, first)
                ready[first].set()
                come_to(ready[second])
                lock_wallet(connection, second)
                set_balance(connection, first, first)

            async with lanes.writing() as transaction:
                await transaction.run(step)
                await transaction.commit(proof=never)

        await asyncio.gather(move(ANN, BOB), move(BOB, ANN))

        assert len(runs) == 3
        assert [await lanes.reading(partial(balance, buyer_id=of)) for of in (ANN, BOB)] == [1, 2]

    async def test_a_few_times_and_no_more(self, lanes: ServerLanes) -> None:
        runs: list[None] = []

        def step(connection: Connection) -> None:
            runs.append(None)
            set_balance(connection, ANN, 5)
            be_undone(connection)

        with pytest.raises(RolledBack):
            async with lanes.writing() as transaction:
                await transaction.run(step)

        assert len(runs) == TRIES_MAX + 1
        assert await lanes.reading(balance) == BALANCE

    async def test_of_what_was_done_before_nothing_is_left(self, lanes: ServerLanes) -> None:
        runs: list[int] = []

        def step(connection: Connection) -> None:
            runs.append(balance(connection))
            set_balance(connection, ANN, 5)
            if len(runs) < 3:
                be_undone(connection)

        async with lanes.writing() as transaction:
            await transaction.run(step)
            await transaction.commit(proof=never)

        assert runs == [BALANCE] * 3
        assert await lanes.reading(balance) == 5

    async def test_a_later_step_is_not_run_again(self, lanes: ServerLanes) -> None:
        runs: list[None] = []

        def step(connection: Connection) -> None:
            runs.append(None)
            be_undone(connection)

        async with lanes.writing() as transaction:
            await transaction.run(balance)
            with pytest.raises(RolledBack):
                await transaction.run(step)

        assert len(runs) == 1


class TestLimits:
    async def test_the_server_gives_up_a_statement_and_the_connection_lives(self, database: str) -> None:
        lanes = ServerLanes(database, replace(NARROW, deadline_ms=60_000, statement_ms=300, lock_ms=300))
        session = await lanes.reading(_session)

        with pytest.raises(DatabaseFault):
            await lanes.reading(lambda connection: sleep(connection, 50))

        assert await lanes.reading(_session) == session
        await lanes.close()

    async def test_the_server_gives_up_the_wait_for_a_lock(self, database: str, lanes: ServerLanes) -> None:
        hasty = ServerLanes(database, replace(NARROW, deadline_ms=60_000, statement_ms=50_000, lock_ms=1_000))
        async with lanes.writing() as transaction:
            await transaction.run(lambda connection: lock_wallet(connection, ANN))
            with pytest.raises(DatabaseFault):
                async with hasty.writing() as late:
                    await late.run(lambda connection: lock_wallet(connection, ANN))
        async with hasty.writing() as late:
            await late.run(lambda connection: lock_wallet(connection, ANN))
        await hasty.close()

    async def test_nobody_waits_for_a_connection_beyond_the_deadline(self, database: str) -> None:
        lanes = ServerLanes(database, HASTY)
        async with lanes.writing() as transaction:
            await transaction.run(balance)
            with pytest.raises(DeadlineMissed):
                async with lanes.writing():
                    raise AssertionError("there was a second connection")
        async with lanes.writing() as transaction:
            assert await transaction.run(balance) == BALANCE
        await lanes.close()

    async def test_never_more_connections_than_said(self, database: str, lanes: ServerLanes) -> None:
        few = ServerLanes(database, replace(SERVING, writers=2, readers=3))
        before = await lanes.reading(_sessions)

        await asyncio.gather(*(few.reading(lambda connection: sleep(connection, 0.01)) for _ in range(20)))
        await asyncio.gather(*(_touch(few) for _ in range(20)))

        assert await lanes.reading(_sessions) - before == 5
        await few.close()

    async def test_whoever_is_cancelled_leaves_the_lanes_as_they_were(self, database: str, lanes: ServerLanes) -> None:
        narrow = ServerLanes(database, replace(NARROW, deadline_ms=60_000, statement_ms=50_000, lock_ms=50_000))
        for _ in range(3):
            begun = asyncio.Event()

            def step(connection: Connection, begun: asyncio.Event = begun) -> None:
                lock_wallet(connection, ANN)
                begun.set()
                sleep(connection, 40)

            async def work(step=step) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 -- the one above
                async with narrow.writing() as transaction:
                    await transaction.run(step)

            task = asyncio.create_task(work())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await narrow.close()
        assert await lanes.reading(balance) == BALANCE


def _execute(connection: Connection, it: Executable) -> None:
    connection.execute(it)


async def _touch(lanes: ServerLanes) -> None:
    async with lanes.writing() as transaction:
        await transaction.run(balance)


def _session(connection: Connection) -> int:
    return (
        connection.scalar(
            select(func.connection_id() if connection.dialect.name == "mariadb" else func.pg_backend_pid())
        )
        or 0
    )


def _sessions(connection: Connection) -> int:
    table, where = (
        ("information_schema.processlist", "db = DATABASE()")
        if connection.dialect.name == "mariadb"
        else ("pg_stat_activity", "datname = current_database()")
    )
    return connection.scalar(text(f"SELECT COUNT(*) FROM {table} WHERE {where}")) or 0  # noqa: S608 -- as above
