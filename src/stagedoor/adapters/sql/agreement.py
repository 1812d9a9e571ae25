"""The settings that all processes agree on, stored with the first of them that served."""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from stagedoor.adapters.sql.tables import agreed_setting

_AGREED = select(agreed_setting.c.name, agreed_setting.c.value)


def agreed(connection: Connection) -> Mapping[str, str]:
    """Return what is agreed on, by the setting's name."""
    return {row.name: row.value for row in connection.execute(_AGREED)}


def agree(connection: Connection, terms: Mapping[str, str]) -> None:
    """Let *terms* be what is agreed on: in place of what was, for the same names."""
    connection.execute(delete(agreed_setting).where(agreed_setting.c.name.in_(list(terms))))
    connection.execute(insert(agreed_setting), [{"name": name, "value": value} for name, value in terms.items()])
