"""
Statements with `IN` lists, whose text is made once for each size of list.

SQLAlchemy writes the text of such a statement anew each time it is run, which
in small batches costs more than running it. Here a list is filled up to the
next power of two, by repeating its last member, so that there are few sizes;
each text is made once, and handed to the driver as it is.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import BindParameter, Connection, Delete, Dialect, Select, Update, bindparam
from sqlalchemy.sql.compiler import SQLCompiler

from stagedoor.adapters.sql import driver

T = TypeVar("T")

Values = Sequence[int] | Sequence[str] | int | str

_Step = tuple[str | None, Any]
"""One run of parameters: those of the list or value of that name, or (without a name) a constant of the statement."""


def listed(name: str) -> BindParameter[Any]:
    """Return the parameter for an `IN` list of that name."""
    return bindparam(name, expanding=True)


def filled_up(values: Sequence[T]) -> list[T]:
    """Return *values*, which are not empty, with the last one repeated up to the next power of two."""
    return [*values, *[values[-1]] * (_size(values) - len(values))]


def _size(values: Sequence[object]) -> int:
    return 1 << (len(values) - 1).bit_length()


class _Sized:
    def __init__(self, statement: Select[*tuple[Any, ...]] | Update | Delete, *lists: str) -> None:
        """Keep the statement; *lists* names its `IN` lists, all of which are given at each run and not empty."""
        self._statement = statement
        self._lists = lists
        self._compile = lru_cache(self._expand)

    def text_for(self, dialect: Dialect, **lists: Sequence[int] | Sequence[str]) -> str:
        """Return the text that lists of that size are run with."""
        return self._compile(dialect, self._sizes(lists))[0]

    def _sizes(self, values: Mapping[str, Any]) -> tuple[int, ...]:
        return tuple([_size(values[name]) for name in self._lists])

    def _prepare(self, connection: Connection, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        text, steps = self._compile(connection.dialect, self._sizes(values))
        parameters: list[Any] = []
        for name, constant_or_size in steps:
            if name is None:
                parameters.append(constant_or_size)
                continue
            value = values[name]
            if constant_or_size is None:
                parameters.append(value)
            else:
                parameters += filled_up(value)
        return text, parameters

    def _expand(self, dialect: Dialect, sizes: tuple[int, ...]) -> tuple[str, Sequence[_Step]]:
        compiled = self._statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        lists = dict(zip(self._lists, sizes, strict=True))
        given: dict[str, Any] = {name: [0] * size for name, size in lists.items()}
        names = {bind.key for bind in compiled.binds.values() if bind.required} - lists.keys()
        expanded = compiled.construct_expanded_state({**given, **dict.fromkeys(names, 0)})
        # Only drivers with positional parameters are in use.
        assert expanded.positiontup is not None
        members = {member: name for name, all_of_it in expanded.parameter_expansion.items() for member in all_of_it}
        steps: list[_Step] = []
        for position in expanded.positiontup:
            name = members.get(position, position)
            if name in lists:
                if not steps or steps[-1][0] != name:
                    steps.append((name, lists[name]))
            elif name in names:
                steps.append((name, None))
            else:
                steps.append((None, expanded.parameters[position]))
        return expanded.statement, steps


class SizedQuery(_Sized):
    """A query with `IN` lists."""

    def __call__(self, connection: Connection, **values: Values) -> Sequence[driver.Row]:
        """Return its rows."""
        return driver.fetch(connection, *self._prepare(connection, values))


class SizedWrite(_Sized):
    """An UPDATE or DELETE with `IN` lists."""

    def __call__(self, connection: Connection, **values: Values) -> int:
        """Return how many rows it wrote."""
        return driver.write(connection, *self._prepare(connection, values))
