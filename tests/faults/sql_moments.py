"""A proxy before a database server that knows where in the life of a connection a piece comes: by its commits."""

from collections.abc import Callable
from enum import StrEnum

from tests.faults.proxy import Proxy
from tests.faults.toxics import UP, Piece, Stream

MARIADB_COMMIT = b"\x03COMMIT"
POSTGRESQL_COMMIT = b"COMMIT;\0"
MARIADB_SET_UP, POSTGRESQL_SET_UP = 2, 1
"""With so many commits a connection is made ready; the next one is of a transaction."""


class Moment(StrEnum):
    """Where a piece stands to the commits of its connection."""

    BEFORE = "before"
    """No transaction was committed on it yet."""
    DURING = "during"
    """The commit itself, and what it is answered."""
    AFTER = "after"
    """All that follows an answered commit."""


class SqlProxy(Proxy):
    """
    A proxy that tells of each piece which `Moment` it is of.

    *commits* counts the commits of transactions that clients have sent. Whatever
    only reads never commits, so all of it is before.
    """

    def __init__(self, upstream_port: int) -> None:
        """Lead to the MariaDB or PostgreSQL at *upstream_port*."""
        super().__init__(upstream_port)
        self.commits = 0

    def cutter(self) -> Callable[[Stream, bytes, float], list[Piece]]:
        """Return what follows one new connection; a driver asks one thing at a time."""
        moment, seen = Moment.BEFORE, 0

        def cut(stream: Stream, data: bytes, arrived_at: float) -> list[Piece]:
            nonlocal moment, seen
            if stream is UP:
                if made_ready := _made_ready_with(data):
                    seen += 1
                    if seen > made_ready:
                        self.commits += 1
                        moment = Moment.DURING
                elif moment is Moment.DURING:
                    moment = Moment.AFTER
            return [Piece(data=data, arrived_at=arrived_at, moment=moment)]

        return cut


def _made_ready_with(data: bytes) -> int:
    """Return, if a client's *data* is a commit, how many of them a connection to such a server begins with, else 0."""
    if data[4:] == MARIADB_COMMIT:
        return MARIADB_SET_UP
    return POSTGRESQL_SET_UP if data[5:] == POSTGRESQL_COMMIT else 0
