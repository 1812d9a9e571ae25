"""The sale can be stopped: a row for each switch that was ever turned."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"
branch_labels: Final = None
depends_on: Final = None


_ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "sale_switch",
        sa.Column("performance_id", _ID, autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("turned_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("performance_id", name=op.f("pk_sale_switch")),
    )


def downgrade() -> None:
    """Refuse: a sale that was stopped would be open again."""
    raise NotImplementedError
