"""
What a migration makes tables with, so that every database keeps what it is given, exactly.

MariaDB would take `Ann` and `ann ` for the same word, and keep seven digits of
a figure; PostgreSQL would order words by the rules of somebody's language.
"""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

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


def word(length: int) -> sa.types.TypeEngine[str]:
    """Return the type of words up to *length* characters by which rows are found: ordered by their code points."""
    return sa.String(length).with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")


def digest(length: int) -> sa.types.TypeEngine[bytes]:
    """Return the type of *length* bytes by which rows are found, which MariaDB cannot do by a BLOB."""
    return sa.LargeBinary(length).with_variant(mysql.VARBINARY(length), "mariadb")


def create_table(name: str, *elements: sa.schema.SchemaItem, sqlite_with_rowid: bool = True) -> None:
    """Create a table, as `op.create_table` does."""
    op.create_table(name, *elements, sqlite_with_rowid=sqlite_with_rowid, **_EXACT)
