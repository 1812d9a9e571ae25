"""
One statement for many rows, compiled once a dialect and handed to the driver as it is.

SQLite runs it row by row, in one call of the driver. A server gets all rows in
one statement, since there each statement is a journey and `executemany` would
make one a row: MariaDB as text that repeats itself, PostgreSQL as arrays.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Protocol

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Delete,
    Dialect,
    Insert,
    Select,
    Table,
    Text,
    Update,
    bindparam,
    func,
    insert,
    select,
)
from sqlalchemy.sql.compiler import SQLCompiler

from stagedoor.adapters.sql import driver

Row = tuple[int | str | None, ...]

Given = Mapping[str, ColumnElement[Any]]
"""The values of a row by their names, as a statement may speak of them."""

Change = Callable[[Given], Update | Delete]
Query = Callable[[Given], Select[*tuple[Any, ...]]]

_Statement = Insert | Update | Delete | Select[*tuple[Any, ...]]

GIVEN = "given"


class Way(Protocol):
    """How one dialect is given many rows."""

    def __call__(self, connection: Connection, rows: Sequence[Row], shared: Mapping[str, int]) -> int:
        """Run the statement for *rows*, of which there are some; return how many rows it wrote."""
        ...


class Asking(Protocol):
    """How one dialect is asked for many rows."""

    def fetch(self, connection: Connection, rows: Sequence[Row]) -> Sequence[driver.Row]:
        """Return what is found for *rows*, of which there are some."""
        ...


class Bulk:
    """
    A statement that is run for many tuples of values.

    SQLAlchemy's own way takes a dict for each row and costs two to three
    times as much; the statements are its own all the same.
    """

    def __init__(self, make: Callable[[Dialect], Way]) -> None:
        """Run the rows the way that *make* returns for a dialect."""
        self._way = lru_cache(make)

    @classmethod
    def insert(
        cls, table: Table, *columns: str, insert_into: Mapping[str, Callable[[Table], Insert]] | None = None
    ) -> "Bulk":
        """
        Return the INSERT of *columns* into *table*: a plain one, or for each name of a dialect what is made of it.

        A parameter in it that is no column of the table is the same for all rows.
        """
        assert set(columns) <= set(table.c.keys())

        def make(dialect: Dialect) -> Way:
            statement = insert(table) if insert_into is None else insert_into[dialect.name](table)
            return _INSERTS[dialect.name](statement, dialect, columns)

        return cls(make)

    @classmethod
    def change(cls, values: Mapping[str, ColumnElement[Any]], change: Change) -> "Bulk":
        """
        Return an UPDATE or DELETE of the rows that tuples of *values* name.

        Each value is of the type of a column; no two tuples may name the same row.
        """

        def make(dialect: Dialect) -> Way:
            return _CHANGES[dialect.name](change, dialect, values)

        return cls(make)

    def __call__(self, connection: Connection, rows: Sequence[Row], **shared: int) -> int:
        """
        Run it for every one of *rows*; return how many rows of the table were written in all.

        *shared* are the values that are the same for all rows.
        """
        if not rows:
            return 0
        return self._way(connection.dialect)(connection, rows, shared)


class BulkQuery:
    """
    A query that is asked for many tuples of values at once; what is found comes in no order.

    A server looks up each of them. Were the numbers of a room an `IN` list
    beside the room, PostgreSQL would sooner read the whole room, as long as
    nobody has told it how large that has become.
    """

    def __init__(self, values: Given, query: Query) -> None:
        """Ask *query* with tuples of *values*, each of the type of a column; no two tuples may be the same."""
        self._asking = lru_cache(lambda dialect: _QUERIES[dialect.name](query, dialect, values))

    def __call__(self, connection: Connection, rows: Sequence[Row]) -> Sequence[driver.Row]:
        """Return what is found for *rows*."""
        return self._asking(connection.dialect).fetch(connection, rows) if rows else []


class _RowByRow:
    """SQLite's way."""

    def __init__(self, statement: _Statement, dialect: Dialect, order: Sequence[str]) -> None:
        columns = [name for name in order if name in statement.table.c] if isinstance(statement, Insert) else None
        compiled = _compiled(statement, dialect, columns)
        self._text = compiled.string
        self._names = _names(compiled)
        self._order = tuple(order)
        # What is not in a row is a constant of the statement, or shared by all rows.
        self._others = {name: compiled.params[name] for name in self._names if name not in self._order}
        named = (*self._order, *self._others)
        self._picked = _picking(named, self._names)
        self._as_it_is = self._names == self._order

    @classmethod
    def joining(cls, change: Change | Query, dialect: Dialect, values: Given) -> "_RowByRow":
        given = {name: bindparam(name, type_=column.type) for name, column in values.items()}
        return cls(change(given), dialect, tuple(values))

    def __call__(self, connection: Connection, rows: Sequence[Row], shared: Mapping[str, int]) -> int:
        if self._as_it_is:
            return driver.write_many(connection, self._text, rows)
        others = tuple({**self._others, **shared}.values())
        picked = self._picked
        return driver.write_many(connection, self._text, [picked(row + others) for row in rows])

    def fetch(self, connection: Connection, rows: Sequence[Row]) -> Sequence[driver.Row]:
        others, picked = tuple(self._others.values()), self._picked
        return driver.fetch_many(connection, self._text, [picked(row + others) for row in rows])


class _Repeated:
    """
    MariaDB's way: the text that stands for one row is repeated for the others.

    What a statement returns are the columns by which the rows it wrote are
    known: only those that are then as they were given are counted.
    """

    def __init__(
        self, compiled: SQLCompiler, order: Sequence[str], *, first: str, following: str, returned: Sequence[str] = ()
    ) -> None:
        self._before, found, self._after = compiled.string.partition(first)
        assert found
        names = _names(compiled)
        # The parameters of the rows are side by side in the text.
        start = min(names.index(name) for name in order)
        assert set(names[start : start + len(order)]) == set(order)
        assert not names[:start]
        self._row, self._tail = names[: len(order)], names[len(order) :]
        self._first, self._following = first, following
        self._constants = {name: compiled.params[name] for name in self._tail}
        self._picked = _picking(order, self._row)
        self._as_returned = _picking(order, returned) if returned else None

    @classmethod
    def inserting(cls, statement: Insert, dialect: Dialect, columns: Sequence[str]) -> "_Repeated":
        compiled = _compiled(statement, dialect, columns)
        row = f"({', '.join(['%s'] * len(columns))})"
        returned = [column.name for column in compiled.effective_returning or ()]
        return cls(compiled, columns, first=row, following=f", {row}", returned=returned)

    @classmethod
    def joining(cls, change: Change | Query, dialect: Dialect, values: Given) -> "_Repeated":
        row = select(*(bindparam(name, type_=column.type).label(name) for name, column in values.items()))
        given = row.subquery(GIVEN)
        compiled = _compiled(change(dict(given.c)), dialect, None)
        first = str(row.compile(dialect=dialect))
        return cls(
            compiled, tuple(values), first=first, following=f" UNION ALL SELECT {', '.join(['%s'] * len(values))}"
        )

    def __call__(self, connection: Connection, rows: Sequence[Row], shared: Mapping[str, int]) -> int:
        text, parameters = self._said(rows, shared)
        if self._as_returned is None:
            return driver.write(connection, text, parameters)
        given = {self._as_returned(row) for row in rows}
        return sum(tuple(row) in given for row in driver.fetch(connection, text, parameters))

    def fetch(self, connection: Connection, rows: Sequence[Row]) -> Sequence[driver.Row]:
        return driver.fetch(connection, *self._said(rows, {}))

    def _said(self, rows: Sequence[Row], shared: Mapping[str, int]) -> tuple[str, Sequence[Any]]:
        text = f"{self._before}{self._first}{self._following * (len(rows) - 1)}{self._after}"
        parameters = [value for row in rows for value in self._picked(row)]
        constants = {**self._constants, **shared}
        parameters += [constants[name] for name in self._tail]
        return text, parameters


class _Arrays:
    """PostgreSQL's way: the rows are an array a column, so that one text serves any number of them."""

    def __init__(self, statement: _Statement, dialect: Dialect, order: Sequence[str]) -> None:
        compiled = _compiled(statement, dialect, None)
        self._text = compiled.string
        self._names = _names(compiled)
        self._order = tuple(order)
        self._constants = {name: compiled.params[name] for name in self._names if name not in self._order}

    @classmethod
    def inserting(cls, statement: Insert, dialect: Dialect, columns: Sequence[str]) -> "_Arrays":
        given = _unnested({name: statement.table.c[name] for name in columns})
        # Rows are taken as they come out of the arrays, so that numbers are given out in that order.
        return cls(statement.from_select(list(columns), select(*(given[name] for name in columns))), dialect, columns)

    @classmethod
    def joining(cls, change: Change | Query, dialect: Dialect, values: Given) -> "_Arrays":
        return cls(change(_unnested(values)), dialect, tuple(values))

    def __call__(self, connection: Connection, rows: Sequence[Row], shared: Mapping[str, int]) -> int:
        return driver.write(connection, self._text, self._arguments(rows, shared))

    def fetch(self, connection: Connection, rows: Sequence[Row]) -> Sequence[driver.Row]:
        return driver.fetch(connection, self._text, self._arguments(rows, {}))

    def _arguments(self, rows: Sequence[Row], shared: Mapping[str, int]) -> Sequence[Any]:
        arguments = {**self._constants, **shared, **dict(zip(self._order, zip(*rows, strict=True), strict=True))}
        return [arguments[name] for name in self._names]


_INSERTS: Mapping[str, Callable[[Insert, Dialect, Sequence[str]], Way]] = {
    "sqlite": _RowByRow,
    "mariadb": _Repeated.inserting,
    "postgresql": _Arrays.inserting,
}

_CHANGES: Mapping[str, Callable[[Change, Dialect, Given], Way]] = {
    "sqlite": _RowByRow.joining,
    "mariadb": _Repeated.joining,
    "postgresql": _Arrays.joining,
}

_QUERIES: Mapping[str, Callable[[Query, Dialect, Given], Asking]] = {
    "sqlite": _RowByRow.joining,
    "mariadb": _Repeated.joining,
    "postgresql": _Arrays.joining,
}


def _unnested(values: Given) -> Given:
    arrays = (
        bindparam(name, type_=ARRAY(Text() if column.type.python_type is str else BigInteger()))
        for name, column in values.items()
    )
    unnested = func.unnest(*arrays).table_valued(*values).render_derived(name=GIVEN)
    return dict(unnested.c)


def _compiled(statement: _Statement, dialect: Dialect, columns: Sequence[str] | None) -> SQLCompiler:
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    assert isinstance(compiled, SQLCompiler)
    return compiled


def _names(compiled: SQLCompiler) -> tuple[str, ...]:
    # Only drivers with positional parameters are in use.
    assert compiled.positiontup is not None
    return tuple(compiled.positiontup)


def _picking(order: Sequence[str], wanted: Sequence[str]) -> Callable[[Row], Row]:
    if len(wanted) == 1:
        [index] = [order.index(name) for name in wanted]
        return lambda row: (row[index],)
    return itemgetter(*(order.index(name) for name in wanted))
