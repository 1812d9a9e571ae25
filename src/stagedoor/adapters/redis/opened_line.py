"""The line on Redis from its URL, with its record in the database of the sale."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import partial

from sqlalchemy import Connection

from stagedoor.adapters.redis.client import Guard, RedisClient
from stagedoor.adapters.redis.line import RedisLine
from stagedoor.adapters.redis.line_store import StoreClock
from stagedoor.adapters.sql import audit
from stagedoor.adapters.sql.installation import line_epoch
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.line_record import SqlLineRecord
from stagedoor.kernel.clock import Clock
from stagedoor.kernel.errors import Fault
from stagedoor.operators.model import AuditEntry
from stagedoor.waiting_room.ports import Rooms


@asynccontextmanager
async def opened_line(  # noqa: PLR0913 -- two stores, two clocks' worth of settings
    url: str,
    *,
    lanes: Lanes,
    rooms: Rooms,
    clock: Clock,
    keys_kept_ms: int,
    outage_credit_max_ms: int,
    stands: Callable[[], bool],
    guard: Guard = nullcontext,
) -> AsyncIterator[RedisLine]:
    """
    Return the line on the Redis at *url*, and give what it leads to the other processes in the end.

    *clock* is the machine's; leases are judged by the store's own, which is
    followed by it. *lanes* write the record and the audit. While *stands* says
    that the service does, the line takes no turn. Each call
    to the store is made within *guard*. `RedisLine.refresh` has to be
    called at least every 250 ms from then on.
    """
    client = RedisClient(url, guard=guard)
    line = RedisLine(
        client=client,
        installation=await line_epoch(lanes, new_epoch=secrets.token_hex(8), now=clock.now()),
        record=SqlLineRecord(lanes),
        audit=partial(write_audit, lanes),
        rooms=rooms,
        clock=StoreClock(clock),
        keys_kept_ms=keys_kept_ms,
        outage_credit_max_ms=outage_credit_max_ms,
        stands=stands,
    )
    try:
        yield line
    finally:
        with contextlib.suppress(Fault):
            await line.hand_over()
        await client.close()


async def write_audit(lanes: Lanes, entries: Sequence[AuditEntry]) -> None:
    """Write what operators did to places. Raises `Fault`."""

    def write(connection: Connection) -> int:
        first, *_ = [audit.append(connection, entry) for entry in entries]
        return first

    async with lanes.writing() as transaction:
        first = await transaction.run(write)
        await transaction.commit(proof=lambda connection: audit.is_written(connection, first, entries[0]))
