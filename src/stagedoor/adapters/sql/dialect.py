"""What each database says in its own words; everything else is written once, for all of them."""

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, update
from sqlalchemy.dialects import sqlite

from stagedoor.adapters.sql.bulk import ANY_DIALECT, Bulk
from stagedoor.adapters.sql.tables import closed_place, notification, seat_claim, wallet

_SQLITE_CLAIM = sqlite.insert(seat_claim)

CLAIM_SEATS = Bulk(
    {
        "sqlite": _SQLITE_CLAIM.on_conflict_do_update(
            index_elements=["seat_id"],
            set_={
                "performance_id": _SQLITE_CLAIM.excluded.performance_id,
                "hold_id": _SQLITE_CLAIM.excluded.hold_id,
                "state": _SQLITE_CLAIM.excluded.state,
                "held_until": _SQLITE_CLAIM.excluded.held_until,
            },
            where=seat_claim.c.held_until <= bindparam("now"),
        )
    },
    ("seat_id", "performance_id", "hold_id", "state", "held_until", "now"),
)
"""Claim seats that have no claim, or one that is over at `now`; of any other nothing is written, nor counted."""

SET_BALANCES = Bulk(
    {
        ANY_DIALECT: update(wallet)
        .where(wallet.c.buyer_id == bindparam("buyer"), wallet.c.balance_won == bindparam("before_won"))
        .values(balance_won=bindparam("after_won"))
    },
    ("after_won", "buyer", "before_won"),
)
"""Change balances that are still what they were; any other is neither written nor counted."""

CLOSE_PLACES = Bulk(
    {"sqlite": sqlite.insert(closed_place).on_conflict_do_nothing()}, ("room_id", "place_number", "closed_at")
)
"""Close places; one that is closed already keeps its instant."""

NOTE_ONCE = Bulk(
    {"sqlite": sqlite.insert(notification).on_conflict_do_nothing()},
    ("event_id", "order_id", "buyer_id", "text", "noted_at"),
)
"""Note events; one that is noted already is left as it is."""


def refusing_changes(dialect: str, table: str) -> Sequence[str]:
    """Return the statements after which rows of *table* can be added, but neither changed nor removed."""
    return [statement.format(table=table) for statement in _REFUSING_CHANGES[dialect]]


_REFUSING_CHANGES: Mapping[str, Sequence[str]] = {
    "sqlite": [
        f"CREATE TRIGGER {{table}}_refuses_{verb} BEFORE {verb} ON {{table}} "
        "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ]
}
