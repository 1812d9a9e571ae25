"""Settings agree: what all processes of one database have to have in common is written down in it."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from stagedoor.adapters.sql.migrations.building import create_table, word

revision: Final = "0003"
down_revision: Final = "0002"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    """Create the table."""
    create_table(
        "agreed_setting",
        sa.Column("name", word(64), nullable=False),
        sa.Column("value", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_agreed_setting")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the table: a server of before does not ask for it."""
    op.drop_table("agreed_setting")
