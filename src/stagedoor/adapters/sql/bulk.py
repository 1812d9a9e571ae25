"""One statement for many rows, compiled once a dialect and handed to the driver as it is."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter

from sqlalchemy import Connection, Dialect, Insert, Table, Update, insert
from sqlalchemy.sql.compiler import SQLCompiler

from stagedoor.adapters.sql import driver

Row = tuple[int | str | None, ...]

ANY_DIALECT = "*"


class Bulk:
    """
    A statement that is run for many tuples of parameters.

    SQLAlchemy's own way takes a dict for each row and costs two to three
    times as much; the statements are its own all the same.
    """

    def __init__(self, statements: Mapping[str, Insert | Update], order: Sequence[str]) -> None:
        """
        Keep one statement for each name of a dialect (or `ANY_DIALECT`).

        *order* names the parameters as the tuples will have them.
        """
        self._statements = statements
        self._order = tuple(order)
        self._compiled = lru_cache(self._compile)

    @classmethod
    def insert(cls, table: Table, *columns: str) -> "Bulk":
        """Return the plain INSERT of *columns* into *table*."""
        assert set(columns) <= set(table.c.keys())
        return cls({ANY_DIALECT: insert(table)}, columns)

    def __call__(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Run it for every one of *rows*; return how many rows of the table were written in all."""
        if not rows:
            return 0
        text, arranged = self._compiled(connection.dialect)
        return driver.write_many(connection, text, rows if arranged is None else list(map(arranged, rows)))

    def _compile(self, dialect: Dialect) -> tuple[str, Callable[[Row], Row] | None]:
        name = dialect.name if dialect.name in self._statements else ANY_DIALECT
        statement = self._statements[name]
        columns = [parameter for parameter in self._order if parameter in statement.table.c]
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        assert isinstance(compiled, SQLCompiler)
        # Only drivers with positional parameters are in use.
        assert compiled.positiontup is not None
        if tuple(compiled.positiontup) == self._order:
            return compiled.string, None
        # What is not in a row is a constant of the statement.
        constants = tuple(compiled.params[name] for name in compiled.positiontup if name not in self._order)
        named = (*self._order, *(name for name in compiled.positiontup if name not in self._order))
        picked = itemgetter(*(named.index(name) for name in compiled.positiontup))
        return compiled.string, lambda row: picked(row + constants)
