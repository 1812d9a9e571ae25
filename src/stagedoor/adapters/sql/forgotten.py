"""Up to which instant rows may have been forgotten, written with their removal: `check` trusts what is younger."""

from enum import StrEnum

from sqlalchemy import Connection, bindparam, select, update

from stagedoor.adapters.sql.dialect import FORGET_ONCE
from stagedoor.adapters.sql.tables import forgotten
from stagedoor.kernel.clock import Instant
from stagedoor.observability.invariants import ALWAYS


class Forgotten(StrEnum):
    """A kind of rows that are not kept for ever, and that something else is checked against."""

    PLACES = "places"
    EVENTS = "events"


_UNTIL = select(forgotten.c.until_at).where(forgotten.c.what == bindparam("kind"))
_MOVE = (
    update(forgotten)
    .where(forgotten.c.what == bindparam("kind"), forgotten.c.until_at < bindparam("at"))
    .values(until_at=bindparam("at"))
)


def forgotten_until(connection: Connection, kind: Forgotten) -> Instant:
    """Return the instant from which on every row of *kind* is still there; `ALWAYS` if all are."""
    until_at: int | None = connection.scalar(_UNTIL, {"kind": kind.value})
    return ALWAYS if until_at is None else Instant(until_at)


def note_forgotten(connection: Connection, kind: Forgotten, until_at: Instant) -> None:
    """Write down, with the removal itself, that rows of *kind* from before *until_at* are gone."""
    if connection.scalar(_UNTIL, {"kind": kind.value}) is None:
        FORGET_ONCE(connection, [(kind.value, until_at)])
    connection.execute(_MOVE, {"kind": kind.value, "at": until_at})
