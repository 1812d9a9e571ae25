"""The schema a database has, and how it gets the one this version needs."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, text

from stagedoor.adapters.sql.tables import metadata
from stagedoor.kernel.errors import Fault

HEAD: Final = "0005"
"""The last step of `migrations/versions`."""


_VERSION: Final = "alembic_version"

_LOCK: Final = "stagedoor.schema"
_LOCK_SECONDS: Final = 600


class UnknownSchema(Exception):  # noqa: N818 -- it becomes a sentence to the operator
    """The database was written by a newer version; *found* is its step."""

    def __init__(self, found: str | None) -> None:
        """Say which step was found."""
        super().__init__(found)
        self.found = found


class ForeignDatabase(Exception):  # noqa: N818 -- it becomes a sentence to the operator
    """The database holds tables, and they are not ours: nothing is added to them."""


def current(connection: Connection) -> str | None:
    """Return the step the database is at, None for an empty one."""
    if not inspect(connection).has_table(_VERSION):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def upgrade(connection: Connection) -> None:
    """
    Bring the database to `HEAD`, in the transaction that is open on *connection*; committing is the caller's.

    Costs one read when it is there already. Raises `UnknownSchema`, `ForeignDatabase`, `Fault`.
    """
    if current(connection) == HEAD:
        return
    with _one_at_a_time(connection):
        _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    found = current(connection)
    if found == HEAD:
        return
    if found is None and (names := inspect(connection).get_table_names()) and not _was_interrupted(connection, names):
        raise ForeignDatabase
    try:
        command.upgrade(config_for(connection), HEAD)
    except CommandError as error:
        raise UnknownSchema(found) from error


def _was_interrupted(connection: Connection, names: Collection[str]) -> bool:
    """Tell whether these tables are what is left of a first step that did not come to its end."""
    # MariaDB takes no table back. Each step makes its tables anew there, so it can be begun again.
    return connection.dialect.name == "mariadb" and _VERSION in names and set(names) <= {_VERSION, *metadata.tables}


@contextmanager
def _one_at_a_time(connection: Connection) -> Iterator[None]:
    """Let whoever else changes a server's schema end first: there a change of tables may be part of no transaction."""
    match connection.dialect.name:
        case "mariadb":
            if connection.scalar(text(f"SELECT GET_LOCK('{_LOCK}', {_LOCK_SECONDS})")) != 1:
                raise Fault("somebody else has been changing the schema for longer than is waited for")
            try:
                yield
                # The tables are there for everybody by now, so the number of the step has to be there as well.
                connection.execute(text("COMMIT"))
            finally:
                connection.execute(text(f"DO RELEASE_LOCK('{_LOCK}')"))
        case "postgresql":
            # Let go of with the transaction.
            connection.execute(text(f"SELECT pg_advisory_xact_lock(hashtext('{_LOCK}'))"))
            yield
        case _:
            yield


def config_for(connection: Connection) -> Config:
    """Return what Alembic's commands need to work on *connection*."""
    config = Config()
    config.set_main_option("script_location", "stagedoor.adapters.sql:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
