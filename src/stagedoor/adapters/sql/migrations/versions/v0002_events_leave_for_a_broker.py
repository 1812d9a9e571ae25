"""Events leave for a broker: what waits for it, and who leads in sending."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from stagedoor.adapters.sql.migrations.building import Id, create_table, word

revision: Final = "0002"
down_revision: Final = "0001"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    """Create the two tables."""
    create_table(
        "broker_outbox",
        sa.Column("sequence", Id, nullable=False),
        sa.Column("event_id", word(32), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("failure", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_broker_outbox")),
        sa.UniqueConstraint("event_id", name=op.f("uq_broker_outbox_event_id")),
    )
    op.create_index(
        "ix_broker_outbox_state_attempts_sequence", "broker_outbox", ["state", "attempts", "sequence"], unique=False
    )
    create_table(
        "lease",
        sa.Column("name", word(64), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("holder", word(100), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Refuse: events that have not left would be thrown away."""
    raise NotImplementedError
