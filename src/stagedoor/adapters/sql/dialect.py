"""What each database says in its own words; everything else is written once, for all of them."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import BindParameter, Insert, Table, bindparam, func
from sqlalchemy.dialects import mysql, postgresql, sqlite

from stagedoor.adapters.sql.bulk import Bulk
from stagedoor.adapters.sql.tables import (
    clock_stop,
    closed_place,
    forgotten,
    installation,
    line_reserve,
    member,
    notification,
    room,
    sale_switch,
    seat_claim,
    wallet,
)

_NOW: BindParameter[int] = bindparam("now")
_CLAIMED = ("performance_id", "hold_id", "state", "held_until")


def _claim_on_conflict(claim: sqlite.Insert | postgresql.Insert) -> Insert:
    return claim.on_conflict_do_update(
        index_elements=["seat_id"],
        set_={name: claim.excluded[name] for name in _CLAIMED},
        where=seat_claim.c.held_until <= _NOW,
    )


def _claim_in_mariadb(table: Table) -> Insert:
    # Rows affected say neither how many were new nor how many were left as they were, so those that are ours are
    # counted instead. The assignments are made in this order: what they depend on is the last.
    claim = mysql.insert(table)
    mine = [(name, func.IF(table.c.held_until <= _NOW, claim.inserted[name], table.c[name])) for name in _CLAIMED]
    return claim.on_duplicate_key_update(mine).returning(table.c.seat_id, table.c.hold_id)


CLAIM_SEATS = Bulk.insert(
    seat_claim,
    "seat_id",
    *_CLAIMED,
    insert_into={
        "sqlite": lambda table: _claim_on_conflict(sqlite.insert(table)),
        "mariadb": _claim_in_mariadb,
        "postgresql": lambda table: _claim_on_conflict(postgresql.insert(table)),
    },
)
"""Claim seats that have no claim, or one that is over at `now`; of any other nothing is written, nor counted."""


def _as_it_is(table: Table) -> Insert:
    # IGNORE would hide whatever else is wrong with a row.
    [key, *_] = table.primary_key.columns
    return mysql.insert(table).on_duplicate_key_update({key.name: key})


ONCE: Mapping[str, Callable[[Table], Insert]] = {
    "sqlite": lambda table: sqlite.insert(table).on_conflict_do_nothing(),
    "mariadb": _as_it_is,
    "postgresql": lambda table: postgresql.insert(table).on_conflict_do_nothing(),
}
"""The INSERT after which a row that was there already is as it was. What it counts says nothing."""

CLOSE_PLACES = Bulk.insert(closed_place, "room_id", "place_number", "closed_at", insert_into=ONCE)
"""Close places; one that is closed already keeps its instant."""

NOTE_ONCE = Bulk.insert(notification, "event_id", "order_id", "buyer_id", "text", "noted_at", insert_into=ONCE)
"""Note events; one that is noted already is left as it is."""

INSTALL_ONCE = Bulk.insert(installation, "id", "line_epoch", "created_at", insert_into=ONCE)
BEGIN_CLOCK_ONCE = Bulk.insert(clock_stop, "id", "alive_at", insert_into=ONCE)
MAKE_MEMBERS_ONCE = Bulk.insert(member, "id", "created_at", insert_into=ONCE)
MAKE_WALLETS_ONCE = Bulk.insert(wallet, "buyer_id", "balance_won", insert_into=ONCE)
MAKE_ROOM_ONCE = Bulk.insert(room, "id", "name", "state", "version", insert_into=ONCE)
OPEN_LINE_ONCE = Bulk.insert(
    line_reserve, "room_id", "server", "epoch", "numbers_until", "told_ms", "position", insert_into=ONCE
)
HAVE_SWITCH_ONCE = Bulk.insert(sale_switch, "performance_id", "state", "turned_at", insert_into=ONCE)
FORGET_ONCE = Bulk.insert(forgotten, "what", "until_at", insert_into=ONCE)


def refusing_changes(dialect: str, table: str) -> Sequence[str]:
    """Return the statements after which rows of *table* can be added, but neither changed nor removed."""
    return [statement.format(table=table) for statement in _REFUSING_CHANGES[dialect]]


_REFUSING_CHANGES: Mapping[str, Sequence[str]] = {
    "sqlite": [
        f"CREATE TRIGGER {{table}}_refuses_{verb} BEFORE {verb} ON {{table}} "
        "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ],
    "mariadb": [
        f"CREATE TRIGGER {{table}}_refuses_{verb} BEFORE {verb} ON {{table}} FOR EACH ROW "
        "SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = '{table} is append-only'"
        for verb in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        """
        CREATE FUNCTION {table}_refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION '{table} is append-only' USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """,
        """
        CREATE TRIGGER {table}_refuses BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuses()
        """,
    ],
}
