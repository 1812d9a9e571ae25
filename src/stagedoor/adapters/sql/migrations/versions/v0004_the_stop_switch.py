"""The sale can be stopped: a row for each switch that was ever turned."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from stagedoor.adapters.sql.migrations.building import Id, create_table, word

revision: Final = "0004"
down_revision: Final = "0003"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    """Create the table."""
    create_table(
        "sale_switch",
        sa.Column("performance_id", Id, autoincrement=False, nullable=False),
        sa.Column("state", word(32), nullable=False),
        sa.Column("turned_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("performance_id", name=op.f("pk_sale_switch")),
    )


def downgrade() -> None:
    """Refuse: a sale that was stopped would be open again."""
    raise NotImplementedError
