"""What is recorded of a line that is elsewhere, where many processes record it."""

import asyncio

import pytest
from sqlalchemy import delete

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.line_record import SqlLineRecord
from stagedoor.adapters.sql.tables import line_reserve
from stagedoor.kernel.ids import MAIN_ROOM
from stagedoor.waiting_room.line_record import Marks, Superseded

TOGETHER = 4
ROUNDS = 20


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
