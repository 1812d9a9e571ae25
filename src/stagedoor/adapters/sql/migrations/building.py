"""
What a migration makes tables with, so that every database keeps what it is given, exactly.

MariaDB would take `Ann` and `ann ` for the same word, and keep seven digits of
a figure; PostgreSQL would order words by the rules of somebody's language.
"""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import DDLCompiler

Id: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""An integer key of 64 bits. SQLite's own row number is an INTEGER, and has as many."""

Figure: Final = sa.Float().with_variant(mysql.DOUBLE(asdecimal=False), "mariadb")
"""A number with decimals, in double precision."""

_EXACT: Final[dict[str, Any]] = {
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    # Binary, and a space at the end counts: two words are the same if they are written the same.
    "mariadb_collate": "utf8mb4_nopad_bin",
}


@compiles(sa.PrimaryKeyConstraint, "mariadb")
def _without_its_name(constraint: sa.PrimaryKeyConstraint, compiler: DDLCompiler, **said: object) -> str:
    # There every primary key is called PRIMARY, and a warning says so of each that was called something else.
    text = compiler.visit_primary_key_constraint(constraint, **said)
    return text[text.index("PRIMARY KEY") :]


def word(length: int) -> sa.types.TypeEngine[str]:
    """Return the type of words up to *length* characters by which rows are found: ordered by their code points."""
    return sa.String(length).with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")


def digest(length: int) -> sa.types.TypeEngine[bytes]:
    """Return the type of *length* bytes by which rows are found, which MariaDB cannot do by a BLOB."""
    return sa.LargeBinary(length).with_variant(mysql.VARBINARY(length), "mariadb")


def create_table(name: str, *elements: sa.schema.SchemaItem, sqlite_with_rowid: bool = True) -> None:
    """
    Create a table, as `op.create_table` does.

    MariaDB takes no table back when a migration is interrupted, so one that is
    there is what is left of an attempt at this very step: nobody has written to it.
    """
    if op.get_bind().dialect.name == "mariadb":
        op.execute("SET SESSION foreign_key_checks = 0")
        op.execute(f"DROP TABLE IF EXISTS {name}")
        op.execute("SET SESSION foreign_key_checks = 1")
    op.create_table(name, *elements, sqlite_with_rowid=sqlite_with_rowid, **_EXACT)
