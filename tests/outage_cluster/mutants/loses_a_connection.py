"""A server that does not give the first of its connections back."""

import runpy

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import AsyncAdaptedQueuePool

from stagedoor.adapters.sql import server_lanes
from tests.e2e.harness.removed_guard import replace

Session = server_lanes._Session  # noqa: SLF001 -- what is left out is in there
really_close = Session.close
kept: list[AsyncConnection] = []


async def close_but_the_first(session: Session) -> None:
    """Give the connection back, unless it is the first of those that are served from."""
    connection = session._connection  # noqa: SLF001 -- as above
    pool = session._engine.pool  # noqa: SLF001 -- as above
    is_served_from = isinstance(pool, AsyncAdaptedQueuePool) and pool.size() == server_lanes.SERVING.readers
    if kept or connection is None or not is_served_from:
        await really_close(session)
        return
    kept.append(connection)
    session._connection = None  # noqa: SLF001 -- as above


replace(Session, "close", close_but_the_first)
runpy.run_module("tests.outage_cluster.watched", run_name="__main__")
