"""What each kind of server says of connections and sessions in its own words."""

import ssl
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any, Final, Protocol

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from stagedoor.kernel.clock import SECOND_MS

CONNECT_S: Final = 5
"""How long a server may take to let a connection in."""

APPLICATION: Final = "stagedoor"

DriverConnection = Any
"""A connection as the driver has it; SQLAlchemy knows no more of it either."""


class Failure(Enum):
    """What an error of a server means for the transaction it came in."""

    UNDONE = auto()
    """The transaction was undone for another's sake, or because others had changed what it read."""
    LOST = auto()
    """The connection is gone, or about to go."""
    REFUSED = auto()
    """A constraint refused a row: our own bug."""
    FULL = auto()
    """There is no room on its disk."""
    OTHER = auto()


class ServerDialect(Protocol):
    """One kind of server, *name* to people; nothing that is said to it is newer than its version *oldest*."""

    name: str
    oldest: tuple[int, int]

    def connect_arguments(self, tls: ssl.SSLContext | None) -> Mapping[str, Any]:
        """Return what the driver is to be told, *tls* among it."""
        ...

    def set_up(self, *, statement_ms: int, lock_ms: int, idle_ms: int, writes: bool) -> Sequence[str]:
        """
        Return what is said once on each new connection.

        The server itself then gives up a statement after *statement_ms*, the
        wait for a lock after *lock_ms*, and a transaction in which nothing is
        asked after *idle_ms*: what it has locked is locked for everybody.
        """
        ...

    def number_of(self, connection: DriverConnection) -> int:
        """Return the server's number of the session of a driver's *connection*."""
        ...

    def cut(self, connection: DriverConnection) -> None:
        """Close a driver's *connection* without a word to the server."""
        ...

    def failure(self, error: BaseException | None) -> Failure:
        """Say what a driver's *error* means."""
        ...

    def end_session(self, connection: Connection, number: int) -> None:
        """Have the server end session *number*, which is one of ours; nothing, if there is none."""
        ...

    def has_session(self, connection: Connection, number: int) -> bool:
        """Tell whether the server still has session *number*."""
        ...


class _MariaDB(ServerDialect):
    name = "MariaDB"
    oldest = (10, 5)  # INSERT ... RETURNING

    _FULL = frozenset({1021, 1114})  # "Disk full", "The table is full"
    _UNDONE = frozenset({1020, 1213})  # "Record has changed since last read", "Deadlock found"
    _LOST = frozenset({1053, 1077, 1927, 2006, 2013, 2055, 4031})
    _NO_SUCH_SESSION = 1094

    def connect_arguments(self, tls: ssl.SSLContext | None) -> Mapping[str, Any]:
        return {"connect_timeout": CONNECT_S, "charset": "utf8mb4", **({} if tls is None else {"ssl": tls})}

    def set_up(self, *, statement_ms: int, lock_ms: int, idle_ms: int, writes: bool) -> Sequence[str]:
        variables = {
            "max_statement_time": statement_ms / SECOND_MS,
            "innodb_lock_wait_timeout": _seconds(lock_ms),
            "lock_wait_timeout": _seconds(lock_ms),
            "idle_transaction_timeout": _seconds(idle_ms),
            "sql_mode": "'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
            # Such as that a table which is not to be there is not there: the driver would log each of them.
            "sql_notes": 0,
            # Otherwise an hour comes twice in autumn.
            "time_zone": "'+00:00'",
            # As our columns compare.
            "collation_connection": "'utf8mb4_nopad_bin'",
        }
        said = ", ".join(f"SESSION {name} = {value}" for name, value in variables.items())
        return [f"SET {said}", *([] if writes else ["SET SESSION TRANSACTION READ ONLY"])]

    def number_of(self, connection: DriverConnection) -> int:
        return int(connection.thread_id())

    def cut(self, connection: DriverConnection) -> None:
        connection.close()

    def failure(self, error: BaseException | None) -> Failure:
        [code, *_] = error.args if error is not None and error.args else [None]
        if code in self._UNDONE:
            return Failure.UNDONE
        if code in self._LOST:
            return Failure.LOST
        if code in self._FULL:
            return Failure.FULL
        return Failure.REFUSED if (getattr(error, "sqlstate", None) or "").startswith("23") else Failure.OTHER

    def end_session(self, connection: Connection, number: int) -> None:
        try:
            connection.exec_driver_sql(f"KILL CONNECTION {number}")
        except DBAPIError as error:
            if error.orig is None or error.orig.args[0] != self._NO_SUCH_SESSION:
                raise

    def has_session(self, connection: Connection, number: int) -> bool:
        query = text("SELECT COUNT(*) FROM information_schema.processlist WHERE id = :number")
        return bool(connection.scalar(query, {"number": number}))


class _PostgreSQL(ServerDialect):
    name = "PostgreSQL"
    oldest = (14, 0)

    _UNDONE = frozenset({"40001", "40P01"})

    def connect_arguments(self, tls: ssl.SSLContext | None) -> Mapping[str, Any]:
        return {
            "timeout": CONNECT_S,
            "ssl": False if tls is None else tls,
            # Each size of list is a statement of its own.
            "prepared_statement_cache_size": 1_000,
            "server_settings": {"application_name": APPLICATION},
        }

    def set_up(self, *, statement_ms: int, lock_ms: int, idle_ms: int, writes: bool) -> Sequence[str]:
        variables = {
            "statement_timeout": statement_ms,
            "lock_timeout": lock_ms,
            "idle_in_transaction_session_timeout": idle_ms,
            "default_transaction_read_only": "off" if writes else "on",
            # Plans are kept. One made at the opening, while a table is nearly empty, would read all of it ever after.
            **({"enable_seqscan": "off"} if writes else {}),
        }
        return [f"SET SESSION {name} = {value}" for name, value in variables.items()]

    def number_of(self, connection: DriverConnection) -> int:
        return int(connection.get_server_pid())

    def cut(self, connection: DriverConnection) -> None:
        connection.terminate()

    def failure(self, error: BaseException | None) -> Failure:
        state = getattr(error, "sqlstate", None) or ""
        if state in self._UNDONE:
            return Failure.UNDONE
        if state.startswith(("08", "57P", "25P01")):  # 25P01: there is no transaction, where we have begun one
            return Failure.LOST
        if state == "53100":  # disk_full
            return Failure.FULL
        return Failure.REFUSED if state.startswith("23") else Failure.OTHER

    def end_session(self, connection: Connection, number: int) -> None:
        connection.execute(text("SELECT pg_terminate_backend(:number)"), {"number": number})

    def has_session(self, connection: Connection, number: int) -> bool:
        query = text("SELECT COUNT(*) FROM pg_stat_activity WHERE pid = :number")
        return bool(connection.scalar(query, {"number": number}))


def _seconds(milliseconds: int) -> int:
    return max(1, -(-milliseconds // SECOND_MS))


DIALECTS: Final[Mapping[str, ServerDialect]] = {"mariadb": _MariaDB(), "postgresql": _PostgreSQL()}
