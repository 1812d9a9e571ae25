"""The shortest way from a connection to its driver: a cursor, with the errors told as SQLAlchemy tells them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

Row = tuple[Any, ...]


def fetch(connection: Connection, text: str, parameters: Sequence[Any]) -> Sequence[Row]:
    """Run a query and return its rows."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(text, parameters)
        rows: Sequence[Row] = cursor.fetchall()
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, text, error) from error
    finally:
        cursor.close()
    return rows


def fetch_many(connection: Connection, text: str, asked: Sequence[Sequence[Any]]) -> Sequence[Row]:
    """Run a query for each of *asked* and return all rows: where the database is in this process, it costs little."""
    cursor = connection.connection.cursor()
    rows: list[Row] = []
    try:
        for parameters in asked:
            cursor.execute(text, parameters)
            rows += cursor.fetchall()
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, text, error) from error
    finally:
        cursor.close()
    return rows


def write(connection: Connection, text: str, parameters: Sequence[Any]) -> int:
    """Run a statement and return how many rows it wrote."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(text, parameters)
        written: int = cursor.rowcount
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, text, error) from error
    finally:
        cursor.close()
    return written


def write_many(connection: Connection, text: str, rows: Sequence[Sequence[Any]]) -> int:
    """Run a statement for each of *rows* and return how many rows it wrote in all."""
    cursor = connection.connection.cursor()
    try:
        cursor.executemany(text, rows)
        written: int = cursor.rowcount
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, text, error) from error
    finally:
        cursor.close()
    return written


def _told(connection: Connection, text: str, error: Exception) -> BaseException:
    driver = connection.dialect.loaded_dbapi
    # The parameters are left out: they are about somebody.
    return DBAPIError.instance(text, None, error, driver.Error, hide_parameters=True, dialect=connection.dialect)
