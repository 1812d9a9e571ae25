"""A server that does not give the first of its connections back."""

import runpy

from sqlalchemy import Connection
from sqlalchemy.pool import AsyncAdaptedQueuePool

from stagedoor.adapters.sql import server_lanes
from tests.e2e.harness.removed_guard import replace

Session = server_lanes._Session  # noqa: SLF001 -- what is left out is in there
really_give_back = Session._give_back  # noqa: SLF001 -- as above
kept: list[Connection] = []


def give_back_but_the_first(session: Session, connection: Connection) -> None:
    """Give the connection back, unless it is the first of those that are served from."""
    pool = session._engine.pool  # noqa: SLF001 -- as above
    is_served_from = isinstance(pool, AsyncAdaptedQueuePool) and pool.size() == server_lanes.SERVING.readers
    if kept or not is_served_from:
        really_give_back(session, connection)
        return
    kept.append(connection)
    session._connection = None  # noqa: SLF001 -- as above


replace(Session, "_give_back", give_back_but_the_first)
runpy.run_module("tests.outage_cluster.watched", run_name="__main__")
