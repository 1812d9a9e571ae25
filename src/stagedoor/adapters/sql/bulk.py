"""One statement for many rows, compiled once a dialect and handed to the driver as it is."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from sqlalchemy import Connection, Dialect, Insert, Table, Update, insert
from sqlalchemy.sql.compiler import SQLCompiler

Parameters = Sequence[tuple[int | str | None, ...]]

ANY_DIALECT = "*"


class Bulk:
    """
    A statement that is run for many tuples of parameters.

    SQLAlchemy's own way takes a dict for each row and costs two to three
    times as much (`tests/bench`); the statements are its own all the same.
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

    def __call__(self, connection: Connection, rows: Parameters) -> int:
        """Run it for every one of *rows*; return how many rows of the table were written in all."""
        if not rows:
            return 0
        text, positions = self._compiled(connection.dialect)
        if positions is not None:
            rows = [tuple(row[position] for position in positions) for row in rows]
        return connection.exec_driver_sql(text, list(rows)).rowcount

    def _compile(self, dialect: Dialect) -> tuple[str, tuple[int, ...] | None]:
        name = dialect.name if dialect.name in self._statements else ANY_DIALECT
        statement = self._statements[name]
        columns = [parameter for parameter in self._order if parameter in statement.table.c]
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        assert isinstance(compiled, SQLCompiler)
        # Only drivers with positional parameters are in use.
        assert compiled.positiontup is not None
        positions = tuple(self._order.index(name) for name in compiled.positiontup)
        return compiled.string, None if positions == tuple(range(len(self._order))) else positions
