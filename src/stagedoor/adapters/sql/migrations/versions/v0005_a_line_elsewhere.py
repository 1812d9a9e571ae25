"""A line whose store is elsewhere: how far it may have gone."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from stagedoor.adapters.sql.migrations.building import create_table, word

revision: Final = "0005"
down_revision: Final = "0004"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    """Create the table."""
    create_table(
        "line_reserve",
        sa.Column("room_id", word(64), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("server", word(64), nullable=False),
        sa.Column("numbers_until", sa.BigInteger(), nullable=False),
        sa.Column("told_ms", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", name=op.f("pk_line_reserve")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Go no way back: a version that does not know the table would give its numbers out again."""
    raise NotImplementedError
