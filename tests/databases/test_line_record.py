"""What is recorded of a line that is elsewhere, where many processes record it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
from sqlalchemy import delete

from stagedoor.adapters.sql.lanes import Lanes, RolledBack, Step, WriteTransaction
from stagedoor.adapters.sql.line_record import SqlLineRecord
from stagedoor.adapters.sql.tables import line_reserve
from stagedoor.kernel.clock import MINUTE_MS, later
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId
from stagedoor.waiting_room.changes import Change, Ending, NewPlace
from stagedoor.waiting_room.line_record import Marks, Superseded
from stagedoor.waiting_room.model import EndCause, PlaceState
from tests.builders.sale import NOON

T = TypeVar("T")

TOGETHER = 4
PLACE = NewPlace(1, BuyerId(7), later(NOON, MINUTE_MS))
ROUNDS = 20


class LostCommits(Lanes):
    """Lanes whose commits come to nothing; *proof* is what the last one would have been asked."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self.proof: Step[bool] = lambda _: False

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        async with self._lanes.writing() as transaction:
            yield _Lost(transaction, self)

    async def reading(self, step: Step[T]) -> T:
        return await self._lanes.reading(step)


class _Lost(WriteTransaction):
    def __init__(self, transaction: WriteTransaction, lanes: LostCommits) -> None:
        self._transaction = transaction
        self._lanes = lanes

    async def run(self, step: Step[T]) -> T:
        return await self._transaction.run(step)

    async def commit(self, *, proof: Step[bool]) -> None:
        self._lanes.proof = proof
        raise RolledBack("the connection was lost")


async def test_processes_that_start_together_find_the_same_marks(lanes: Lanes) -> None:
    record = SqlLineRecord(lanes)
    for _ in range(ROUNDS):
        async with lanes.writing() as transaction:
            await transaction.run(lambda connection: connection.execute(delete(line_reserve)))
            await transaction.commit(proof=lambda _: True)

        opened = await asyncio.gather(
            *(record.open(MAIN_ROOM, server="redis", held_epoch=None, lost_epoch=None) for _ in range(TOGETHER))
        )

        assert opened == [Marks(epoch=1, numbers_until=1, told_ms=0, position=0)] * TOGETHER


async def test_an_epoch_that_is_over_is_refused_whatever_is_asked(lanes: Lanes) -> None:
    record = SqlLineRecord(lanes)
    await record.open(MAIN_ROOM, server="redis", held_epoch=None, lost_epoch=None)
    await record.confirm(MAIN_ROOM, epoch=1)
    present = await record.open(MAIN_ROOM, server="another", held_epoch=None, lost_epoch=None)

    asked = (
        record.confirm(MAIN_ROOM, epoch=1),
        record.reserve(MAIN_ROOM, epoch=1, numbers_until=9_000, told_ms=9_000),
        record.write(MAIN_ROOM, epoch=1, changes=[], places={}, session_ends={}),
        record.open(MAIN_ROOM, server="redis", held_epoch=1, lost_epoch=1),
    )
    for question in asked:
        with pytest.raises(Superseded):
            await question

    assert present.epoch == 2
    assert await record.reserve(MAIN_ROOM, epoch=2, numbers_until=1, told_ms=0) == present


async def test_who_had_the_line_elsewhere_or_never_may_take_it_to_another_store(lanes: Lanes) -> None:
    record = SqlLineRecord(lanes)
    await record.open(MAIN_ROOM, server="redis", held_epoch=None, lost_epoch=None)
    await record.open(MAIN_ROOM, server="another", held_epoch=None, lost_epoch=None)

    back = await record.open(MAIN_ROOM, server="redis", held_epoch=None, lost_epoch=None)

    assert back.epoch == 3


async def test_a_record_from_a_backup_is_older_than_the_line_that_holds_on(lanes: Lanes) -> None:
    record = SqlLineRecord(lanes)
    await record.open(MAIN_ROOM, server="redis", held_epoch=None, lost_epoch=None)

    taken_up = await record.open(MAIN_ROOM, server="another", held_epoch=7, lost_epoch=None)

    assert taken_up.epoch == 2


async def test_what_was_undone_is_not_taken_for_done_because_another_epoch_has_begun(lanes: Lanes) -> None:
    record, losing = SqlLineRecord(lanes), LostCommits(lanes)
    await record.open(MAIN_ROOM, server="redis", held_epoch=None, lost_epoch=None)
    over = Change(
        at=NOON, last_number=1, serving_number=0, ended=(Ending(1, PlaceState.EXPIRED, EndCause.LEFT, had_pass=False),)
    )
    with pytest.raises(RolledBack):
        await SqlLineRecord(losing).write(MAIN_ROOM, epoch=1, changes=[(5, over)], places={1: PLACE}, session_ends={})

    await record.open(MAIN_ROOM, server="another", held_epoch=None, lost_epoch=None)

    assert not await lanes.reading(losing.proof)


async def test_an_epoch_that_another_store_has_begun_is_not_taken_for_the_own_that_was_undone(lanes: Lanes) -> None:
    record, losing = SqlLineRecord(lanes), LostCommits(lanes)
    await record.open(MAIN_ROOM, server="redis", held_epoch=None, lost_epoch=None)
    with pytest.raises(RolledBack):
        await SqlLineRecord(losing).open(MAIN_ROOM, server="one", held_epoch=None, lost_epoch=None)

    await record.open(MAIN_ROOM, server="another", held_epoch=None, lost_epoch=None)

    assert not await lanes.reading(losing.proof)
