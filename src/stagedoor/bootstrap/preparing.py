"""What a database has to have before anybody is served from it."""

from sqlalchemy import Connection, String, select
from sqlalchemy.sql import column, table

from stagedoor.adapters.sql import demo as demo_data
from stagedoor.adapters.sql import schema
from stagedoor.adapters.sql.agreement import agree, agreed
from stagedoor.adapters.sql.clock_stop import last_sign_of_life
from stagedoor.adapters.sql.seeding import MAIN_ROOM_NAME, seed_room
from stagedoor.bootstrap.database import Database, DatabaseRefused, existing, written
from stagedoor.kernel.clock import SECOND_MS
from stagedoor.kernel.ids import MAIN_ROOM
from stagedoor.settings import Settings, SettingsError
from stagedoor.settings.agreement import differences, terms_of
from stagedoor.settings.model import TABLE

ALIVE_WITHIN_MS = 5 * SECOND_MS
"""Somebody who said so recently that she can serve does so."""

_SECRETS = ("secret", "identity_secret")
_ROWS = {row.name: row for row in TABLE}

# Its one row is there from the first migration on, and every change of the schema writes it.
_ONE_AT_A_TIME = select(column("version_num", String())).select_from(table("alembic_version")).with_for_update()


async def prepare(database: Database, settings: Settings, *, demo: bool) -> None:
    """
    Have a room `main`, and where *demo* asks for it and it is missing, the demo.

    A file's schema is brought up to date. A server's is left alone, and the
    settings have to be those that all who serve from it have agreed on; the
    first one decides. Raises `SettingsError` for one that differs.
    """

    def write(connection: Connection) -> None:
        if settings.is_cluster:
            connection.execute(_ONE_AT_A_TIME)
            _refuse_differences(connection, settings)
            agree(connection, terms_of(settings))
        else:
            schema.upgrade(connection)
        if demo:
            demo_data.prepare(connection, now=database.clock.now(), time_zone=settings.time_zone)
        seed_room(connection, MAIN_ROOM, name=MAIN_ROOM_NAME)

    # Nothing here is lost by being done again, so a commit without an answer is a start that failed.
    if not settings.is_cluster:
        await written(database.lanes, write)
        return
    # To make a demo, or to wait for somebody who does, takes longer than anything may while buyers are served.
    async with existing(settings) as patient:
        await written(patient.lanes, write)


async def change_agreement(database: Database, settings: Settings) -> None:
    """
    Let *settings* be what all who serve from the database have to agree on.

    Raises `DatabaseRefused` while anybody serves from it: who has begun with
    other settings goes on with them.
    """

    def write(connection: Connection) -> None:
        connection.execute(_ONE_AT_A_TIME)
        alive_at = last_sign_of_life(connection)
        if alive_at is not None and database.clock.now() - alive_at <= ALIVE_WITHIN_MS:
            raise DatabaseRefused(
                f"somebody serves from {settings.database_shown}: stop every process first, for each of them goes by "
                "what it was started with"
            )
        agree(connection, terms_of(settings))

    await written(database.lanes, write)


def _refuse_differences(connection: Connection, settings: Settings) -> None:
    for name, theirs in differences(settings, agreed(connection)).items():
        row = _ROWS[name]
        other = "another one" if name in _SECRETS else theirs
        raise SettingsError(
            f"{settings.origins[name].names(name)} is {row.show(getattr(settings, name))}, but all who serve from "
            f"{settings.database_shown} have agreed on {other}: set that here too, or stop all of them and let "
            "`stagedoor agree` change it."
        )
