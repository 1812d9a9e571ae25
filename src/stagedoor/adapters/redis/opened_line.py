"""The line on Redis from its URL, with its record in the database of the sale."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext

from stagedoor.adapters.redis.client import Guard, RedisClient
from stagedoor.adapters.redis.line import RedisLine
from stagedoor.adapters.redis.line_clock import LineClock
from stagedoor.adapters.sql.installation import line_epoch
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.line_record import SqlLineRecord
from stagedoor.kernel.clock import Clock
from stagedoor.kernel.errors import Fault
from stagedoor.operators.ports import AuditPen
from stagedoor.waiting_room.ports import Rooms


@asynccontextmanager
async def opened_line(  # noqa: PLR0913 -- two stores, two clocks and their settings
    url: str,
    *,
    lanes: Lanes,
    audit_pen: AuditPen,
    rooms: Rooms,
    clock: Clock,
    own_clock: Clock,
    keys_kept_ms: int,
    outage_credit_max_ms: int,
    stands: Callable[[], bool],
    read_again_ms: int = 0,
    guard: Guard = nullcontext,
) -> AsyncIterator[RedisLine]:
    """
    Return the line on the Redis at *url*, and give what it leads to the other processes in the end.

    *clock* judges deadlines, those of the sale and the line's alike; *own_clock*
    is this process's. *lanes* write the record, and *audit_pen* what operators
    did to places. While *stands* says that the service does, the line takes no
    turn. What was read less than *read_again_ms* ago is not read again by a
    process that does not lead. Each call to the store is made within *guard*.
    `RedisLine.refresh` has to be called about every 200 ms from then on.
    """
    client = RedisClient(url, guard=guard)
    line = RedisLine(
        client=client,
        installation=await line_epoch(lanes, new_epoch=secrets.token_hex(8), now=clock.now()),
        record=SqlLineRecord(lanes),
        audit_pen=audit_pen,
        rooms=rooms,
        clock=LineClock(clock, own=own_clock),
        keys_kept_ms=keys_kept_ms,
        outage_credit_max_ms=outage_credit_max_ms,
        stands=stands,
        read_again_ms=read_again_ms,
    )
    try:
        yield line
    finally:
        with contextlib.suppress(Fault):
            await line.hand_over()
        await client.close()
