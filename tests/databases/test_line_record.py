"""What is recorded of a line that is elsewhere, where many processes record it."""

import asyncio

from sqlalchemy import delete

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.line_record import SqlLineRecord
from stagedoor.adapters.sql.tables import line_reserve
from stagedoor.kernel.ids import MAIN_ROOM
from stagedoor.waiting_room.line_record import Marks

TOGETHER = 4
ROUNDS = 20


async def test_processes_that_start_together_find_the_same_marks(lanes: Lanes) -> None:
    record = SqlLineRecord(lanes)
    for _ in range(ROUNDS):
        async with lanes.writing() as transaction:
            await transaction.run(lambda connection: connection.execute(delete(line_reserve)))
            await transaction.commit(proof=lambda _: True)

        opened = await asyncio.gather(
            *(record.open(MAIN_ROOM, server="redis", lost_epoch=None) for _ in range(TOGETHER))
        )

        assert opened == [Marks(epoch=1, numbers_until=1, told_ms=0, position=0)] * TOGETHER
