"""The on-sale path: rooms and seats, members and money, holds and orders, the outbox, the embedded line."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from stagedoor.adapters.sql.dialect import refusing_changes
from stagedoor.adapters.sql.migrations.building import Figure, Id, create_table, digest, word

revision: Final = "0001"
down_revision: Final = None
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    """Create every table."""
    _create_installation()
    _create_seating()
    _create_wallets()
    _create_holds()
    _create_orders()
    _create_messages()
    _create_line()
    dialect = op.get_bind().dialect.name
    for table in ("audit", "transfer"):
        for statement in refusing_changes(dialect, table):
            op.execute(statement)


def downgrade() -> None:
    """Refuse: there was nothing before, and orders are not thrown away."""
    raise NotImplementedError


def _create_installation() -> None:
    create_table(
        "installation",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("line_epoch", word(32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    create_table(
        "clock_stop",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("alive_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_clock_stop_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock_stop")),
    )
    create_table(
        "outage",
        sa.Column("id", Id, nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("credited_ms", sa.BigInteger(), nullable=False),
        sa.Column("holds_extended", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outage")),
    )
    create_table(
        "operator_key",
        sa.Column("name", word(64), nullable=False),
        sa.Column("role", word(16), nullable=False),
        sa.Column("digest", digest(32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_operator_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_operator_key_digest")),
    )
    create_table(
        "audit",
        sa.Column("id", Id, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", word(100), nullable=False),
        sa.Column("action", word(64), nullable=False),
        sa.Column("subject", word(100), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )


def _create_seating() -> None:
    create_table(
        "room",
        sa.Column("id", word(64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("state", word(16), nullable=False),
        sa.Column("opens_at", sa.BigInteger(), nullable=True),
        sa.Column("closes_at", sa.BigInteger(), nullable=True),
        sa.Column("max_active", sa.Integer(), nullable=True),
        sa.Column("rate", Figure, nullable=True),
        sa.Column("idle_timeout_ms", sa.BigInteger(), nullable=True),
        sa.Column("session_max_ms", sa.BigInteger(), nullable=True),
        sa.Column("away_after_ms", sa.BigInteger(), nullable=True),
        sa.Column("entry_window_ms", sa.BigInteger(), nullable=True),
        sa.Column("line_max", sa.BigInteger(), nullable=True),
        sa.Column("polls_per_second", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_room")),
    )
    create_table(
        "performance",
        sa.Column("id", Id, autoincrement=False, nullable=False),
        sa.Column("room_id", word(64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("venue", sa.String(length=200), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("time_zone", word(64), nullable=False),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_performance_starts_before_it_ends")),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_performance_room_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performance")),
    )
    create_table(
        "seat",
        sa.Column("id", Id, autoincrement=False, nullable=False),
        sa.Column("performance_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("section", word(64), nullable=False),
        sa.Column("row_name", word(16), nullable=False),
        sa.Column("seat_number", sa.Integer(), nullable=False),
        sa.Column("zone", word(64), nullable=False),
        sa.Column("price_won", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("price_won > 0", name=op.f("ck_seat_price_is_positive")),
        sa.ForeignKeyConstraint(["performance_id"], ["performance.id"], name=op.f("fk_seat_performance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seat")),
        sa.UniqueConstraint("performance_id", "position", name=op.f("uq_seat_performance_id_position")),
    )


def _create_wallets() -> None:
    create_table(
        "member",
        sa.Column("id", Id, autoincrement=False, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
    )
    create_table(
        "wallet",
        sa.Column("buyer_id", Id, autoincrement=False, nullable=False),
        sa.Column("balance_won", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("balance_won >= 0", name=op.f("ck_wallet_never_negative")),
        sa.ForeignKeyConstraint(["buyer_id"], ["member.id"], name=op.f("fk_wallet_buyer_id")),
        sa.PrimaryKeyConstraint("buyer_id", name=op.f("pk_wallet")),
    )
    create_table(
        "transfer",
        sa.Column("id", Id, autoincrement=False, nullable=False),
        sa.Column("buyer_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("debit", word(64), nullable=False),
        sa.Column("credit", word(64), nullable=False),
        sa.Column("amount_won", sa.BigInteger(), nullable=False),
        sa.Column("cause_id", sa.BigInteger(), nullable=True),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_won > 0", name=op.f("ck_transfer_moves_something")),
        sa.CheckConstraint("debit <> credit", name=op.f("ck_transfer_between_two_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer")),
    )
    op.create_index("ix_transfer_buyer_id_posted_at", "transfer", ["buyer_id", "posted_at"], unique=False)


def _create_holds() -> None:
    create_table(
        "seat_claim",
        sa.Column("seat_id", Id, autoincrement=False, nullable=False),
        sa.Column("performance_id", sa.BigInteger(), nullable=False),
        sa.Column("hold_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("held_until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seat_id"], ["seat.id"], name=op.f("fk_seat_claim_seat_id")),
        sa.PrimaryKeyConstraint("seat_id", name=op.f("pk_seat_claim")),
    )
    op.create_index(
        "ix_seat_claim_performance_id_state_held_until",
        "seat_claim",
        ["performance_id", "state", "held_until"],
        unique=False,
    )
    create_table(
        "hold",
        sa.Column("id", Id, autoincrement=False, nullable=False),
        sa.Column("buyer_id", sa.BigInteger(), nullable=False),
        sa.Column("room_id", word(64), nullable=False),
        sa.Column("place_number", sa.BigInteger(), nullable=False),
        sa.Column("performance_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("extended_ms", sa.BigInteger(), nullable=False),
        sa.Column("extension_cause", word(16), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
    )
    op.create_index("ix_hold_buyer_id_state_ended_at", "hold", ["buyer_id", "state", "ended_at"], unique=False)
    op.create_index("ix_hold_state_expires_at", "hold", ["state", "expires_at"], unique=False)
    create_table(
        "hold_seat",
        sa.Column("hold_id", Id, autoincrement=False, nullable=False),
        sa.Column("seat_id", Id, autoincrement=False, nullable=False),
        sa.Column("price_won", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["hold_id"], ["hold.id"], name=op.f("fk_hold_seat_hold_id")),
        sa.PrimaryKeyConstraint("hold_id", "seat_id", name=op.f("pk_hold_seat")),
        sqlite_with_rowid=False,
    )
    create_table(
        "closed_place",
        sa.Column("room_id", word(64), nullable=False),
        sa.Column("place_number", Id, autoincrement=False, nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "place_number", name=op.f("pk_closed_place")),
        sqlite_with_rowid=False,
    )


def _create_orders() -> None:
    create_table(
        "purchase",
        sa.Column("id", Id, autoincrement=False, nullable=False),
        sa.Column("hold_id", sa.BigInteger(), nullable=False),
        sa.Column("buyer_id", sa.BigInteger(), nullable=False),
        sa.Column("performance_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_won", sa.BigInteger(), nullable=False),
        sa.Column("paid_at", sa.BigInteger(), nullable=False),
        sa.Column("refunded_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["hold_id"], ["hold.id"], name=op.f("fk_purchase_hold_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase")),
        sa.UniqueConstraint("hold_id", name=op.f("uq_purchase_hold_id")),
    )
    create_table(
        "sold_seat",
        sa.Column("seat_id", Id, autoincrement=False, nullable=False),
        sa.Column("purchase_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["purchase_id"], ["purchase.id"], name=op.f("fk_sold_seat_purchase_id")),
        sa.PrimaryKeyConstraint("seat_id", name=op.f("pk_sold_seat")),
    )
    create_table(
        "refunded_seat",
        sa.Column("seat_id", Id, autoincrement=False, nullable=False),
        sa.Column("purchase_id", Id, autoincrement=False, nullable=False),
        sa.Column("refunded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["purchase_id"], ["purchase.id"], name=op.f("fk_refunded_seat_purchase_id")),
        sa.PrimaryKeyConstraint("seat_id", "purchase_id", name=op.f("pk_refunded_seat")),
        sqlite_with_rowid=False,
    )


def _create_messages() -> None:
    create_table(
        "idempotency_key",
        sa.Column("buyer_id", Id, autoincrement=False, nullable=False),
        sa.Column("call", word(32), nullable=False),
        sa.Column("value", word(128), nullable=False),
        sa.Column("fingerprint", word(64), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("buyer_id", "call", "value", name=op.f("pk_idempotency_key")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_idempotency_key_stored_at"), "idempotency_key", ["stored_at"], unique=False)
    create_table(
        "outbox",
        sa.Column("sequence", Id, nullable=False),
        sa.Column("event_id", word(32), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("type", word(32), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=True),
        sa.Column("failure", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_outbox")),
        sa.UniqueConstraint("event_id", name=op.f("uq_outbox_event_id")),
    )
    op.create_index("ix_outbox_state_attempts_sequence", "outbox", ["state", "attempts", "sequence"], unique=False)
    create_table(
        "notification",
        sa.Column("event_id", word(32), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("buyer_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_notification")),
    )


def _create_line() -> None:
    create_table(
        "place",
        sa.Column("room_id", word(64), nullable=False),
        sa.Column("number", Id, autoincrement=False, nullable=False),
        sa.Column("buyer_id", sa.BigInteger(), nullable=False),
        sa.Column("living_buyer_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.Column("token_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("end_cause", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("room_id", "number", name=op.f("pk_place")),
        sa.UniqueConstraint("room_id", "living_buyer_id", name=op.f("uq_place_room_id_living_buyer_id")),
        sqlite_with_rowid=False,
    )
    create_table(
        "admission_pass",
        sa.Column("sequence", Id, nullable=False),
        sa.Column("room_id", word(64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("returner", sa.Boolean(), nullable=False),
        sa.Column("admitted_at", sa.BigInteger(), nullable=False),
        sa.Column("max_active", sa.Integer(), nullable=False),
        sa.Column("rate", Figure, nullable=True),
        sa.Column("session_ends_at", sa.BigInteger(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("end_cause", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_admission_pass")),
    )
    op.create_index("ix_admission_pass_ended_at", "admission_pass", ["ended_at"], unique=False)
    op.create_index("ix_admission_pass_room_id_number", "admission_pass", ["room_id", "number"], unique=False)
    create_table(
        "line_mark",
        sa.Column("room_id", word(64), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("serving_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", name=op.f("pk_line_mark")),
        sqlite_with_rowid=False,
    )
    create_table(
        "line_key",
        sa.Column("buyer_id", Id, autoincrement=False, nullable=False),
        sa.Column("call", word(32), nullable=False),
        sa.Column("value", word(128), nullable=False),
        sa.Column("fingerprint", word(64), nullable=False),
        sa.Column("room_id", word(64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("buyer_id", "call", "value", name=op.f("pk_line_key")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_line_key_stored_at"), "line_key", ["stored_at"], unique=False)
    op.create_index("ix_line_key_room_id_number", "line_key", ["room_id", "number"], unique=False)
    create_table(
        "forgotten",
        sa.Column("what", word(16), nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("what", name=op.f("pk_forgotten")),
        sqlite_with_rowid=False,
    )
