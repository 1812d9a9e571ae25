"""What time it is by the database server's clock."""

from collections.abc import Mapping

from sqlalchemy import Connection

from stagedoor.adapters.sql.driver import fetch
from stagedoor.adapters.sql.lanes import Lanes, asked_among_writes
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.followed_clock import FollowedClock, Reading

_NOW: Mapping[str, str] = {
    "mariadb": "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)",
    "mysql": "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)",
    "postgresql": "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint)",
}


async def read_clock(lanes: Lanes, clock: FollowedClock) -> None:
    """Ask the server of *lanes* for the time, and have *clock* go by it. Raises `Fault`."""

    def ask(connection: Connection) -> Reading:
        # Only now: the wait for a connection is no part of the question.
        asked_at = clock.own()
        [(said,)] = fetch(connection, _NOW[connection.dialect.name], ())
        return Reading(asked_at, clock.own(), Instant(int(said)))

    # Whoever does not know what time it is refuses every write.
    clock.read(await asked_among_writes(lanes, ask))
