"""The schema as SQLAlchemy Core tables; `migrations/` builds it, a test holds the two together."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql

# Where a table's key is several columns, `sqlite_with_rowid=False` makes that key the table's one tree.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# In SQLite a column that is exactly INTEGER PRIMARY KEY is the table's own key: it numbers rows by itself, and there is
# no second tree to keep. BIGINT would be neither; SQLite's INTEGER has 64 bits all the same.
Id = BigInteger().with_variant(Integer, "sqlite")

# MariaDB's FLOAT would keep seven digits.
Figure = Float().with_variant(mysql.DOUBLE(asdecimal=False), "mariadb")

installation = Table(
    "installation",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("line_epoch", String(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

# While no process could serve, time stands still for the buyers: alive_at is the last instant one could.
clock_stop = Table(
    "clock_stop",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("alive_at", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

outage = Table(
    "outage",
    metadata,
    Column("id", Id, primary_key=True),
    Column("began_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("credited_ms", BigInteger, nullable=False),
    Column("holds_extended", Integer, nullable=False),
)

room = Table(
    "room",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("opens_at", BigInteger),
    Column("closes_at", BigInteger),
    # NULL in a policy column follows the setting of the same name.
    Column("max_active", Integer),
    Column("rate", Figure),
    Column("idle_timeout_ms", BigInteger),
    Column("session_max_ms", BigInteger),
    Column("away_after_ms", BigInteger),
    Column("entry_window_ms", BigInteger),
    Column("line_max", BigInteger),
    Column("polls_per_second", Integer),
    Column("version", Integer, nullable=False),
)

performance = Table(
    "performance",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("room_id", String(64), ForeignKey("room.id"), nullable=False),
    Column("title", String(200), nullable=False),
    Column("venue", String(200), nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("time_zone", String(64), nullable=False),
    CheckConstraint("starts_at < ends_at", name="starts_before_it_ends"),
)

seat = Table(
    "seat",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("performance_id", BigInteger, ForeignKey("performance.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("section", String(64), nullable=False),
    Column("row_name", String(16), nullable=False),
    Column("seat_number", Integer, nullable=False),
    Column("zone", String(64), nullable=False),
    Column("price_won", BigInteger, nullable=False),
    UniqueConstraint("performance_id", "position"),
    CheckConstraint("price_won > 0", name="price_is_positive"),
)

member = Table(
    "member",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("created_at", BigInteger, nullable=False),
)

wallet = Table(
    "wallet",
    metadata,
    Column("buyer_id", Id, ForeignKey("member.id"), primary_key=True, autoincrement=False),
    Column("balance_won", BigInteger, nullable=False),
    CheckConstraint("balance_won >= 0", name="never_negative"),
)

transfer = Table(
    "transfer",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("buyer_id", BigInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("debit", String(64), nullable=False),
    Column("credit", String(64), nullable=False),
    Column("amount_won", BigInteger, nullable=False),
    Column("cause_id", BigInteger),
    Column("posted_at", BigInteger, nullable=False),
    CheckConstraint("amount_won > 0", name="moves_something"),
    CheckConstraint("debit <> credit", name="between_two_accounts"),
    Index("ix_transfer_buyer_id_posted_at", "buyer_id", "posted_at"),
)

# A free seat has no row here. held_until of a sold or blocked seat is FOREVER, so `held_until <= now` is the
# one predicate under which a seat can be claimed.
seat_claim = Table(
    "seat_claim",
    metadata,
    Column("seat_id", Id, ForeignKey("seat.id"), primary_key=True, autoincrement=False),
    Column("performance_id", BigInteger, nullable=False),
    Column("hold_id", BigInteger),
    Column("state", SmallInteger, nullable=False),
    Column("held_until", BigInteger, nullable=False),
    Index("ix_seat_claim_performance_id_state_held_until", "performance_id", "state", "held_until"),
)

hold = Table(
    "hold",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("buyer_id", BigInteger, nullable=False),
    Column("room_id", String(64), nullable=False),
    Column("place_number", BigInteger, nullable=False),
    Column("performance_id", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("placed_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("extended_ms", BigInteger, nullable=False),
    Column("extension_cause", String(16)),
    Index("ix_hold_buyer_id_state_ended_at", "buyer_id", "state", "ended_at"),
    Index("ix_hold_state_expires_at", "state", "expires_at"),
)

hold_seat = Table(
    "hold_seat",
    metadata,
    Column("hold_id", Id, ForeignKey("hold.id"), primary_key=True, autoincrement=False),
    Column("seat_id", Id, primary_key=True, autoincrement=False),
    Column("price_won", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# "order" is a word of SQL.
purchase = Table(
    "purchase",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("hold_id", BigInteger, ForeignKey("hold.id"), nullable=False, unique=True),
    Column("buyer_id", BigInteger, nullable=False),
    Column("performance_id", BigInteger, nullable=False),
    Column("amount_won", BigInteger, nullable=False),
    Column("paid_at", BigInteger, nullable=False),
    Column("refunded_at", BigInteger),
)

# The independent second proof: its primary key cannot hold a seat twice. A refund moves the row to refunded_seat,
# and the seat can be sold again; MariaDB has no partial index, so "sold now" is a table, not a predicate.
sold_seat = Table(
    "sold_seat",
    metadata,
    Column("seat_id", Id, primary_key=True, autoincrement=False),
    Column("purchase_id", BigInteger, ForeignKey("purchase.id"), nullable=False),
)

refunded_seat = Table(
    "refunded_seat",
    metadata,
    Column("seat_id", Id, primary_key=True, autoincrement=False),
    Column("purchase_id", Id, ForeignKey("purchase.id"), primary_key=True, autoincrement=False),
    Column("refunded_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Places the sale itself knows to be over, before the line has heard of it.
closed_place = Table(
    "closed_place",
    metadata,
    Column("room_id", String(64), primary_key=True),
    Column("place_number", Id, primary_key=True, autoincrement=False),
    Column("closed_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("buyer_id", Id, primary_key=True, autoincrement=False),
    Column("call", String(32), primary_key=True),
    Column("value", String(128), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("receipt", Text, nullable=False),
    Column("stored_at", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

outbox = Table(
    "outbox",
    metadata,
    Column("sequence", Id, primary_key=True),
    Column("event_id", String(32), nullable=False, unique=True),
    Column("subject_id", BigInteger, nullable=False),
    Column("type", String(32), nullable=False),
    Column("payload", Text, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    Column("next_attempt_at", BigInteger, nullable=False),
    Column("published_at", BigInteger),
    Column("failure", String(500)),
    # Few have ever failed: those that wait for another attempt are found apart from those that wait for their first.
    Index("ix_outbox_state_attempts_sequence", "state", "attempts", "sequence"),
)

# What waits for a broker: a row is written with its event and removed once the broker has it. It is a table of its own
# so that neither relay writes, or waits for, a row of the other's.
broker_outbox = Table(
    "broker_outbox",
    metadata,
    Column("sequence", Id, primary_key=True),
    Column("event_id", String(32), nullable=False, unique=True),
    Column("subject_id", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    Column("next_attempt_at", BigInteger, nullable=False),
    Column("failure", String(500)),
    Index("ix_broker_outbox_state_attempts_sequence", "state", "attempts", "sequence"),
)

notification = Table(
    "notification",
    metadata,
    Column("event_id", String(32), primary_key=True),
    Column("order_id", BigInteger, nullable=False),
    Column("buyer_id", BigInteger, nullable=False),
    Column("text", String(500), nullable=False),
    Column("noted_at", BigInteger, nullable=False),
)

operator_key = Table(
    "operator_key",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("digest", LargeBinary(32).with_variant(mysql.VARBINARY(32), "mariadb"), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

# Only what was ever turned has a row; the row 0 is the switch for everything.
sale_switch = Table(
    "sale_switch",
    metadata,
    Column("performance_id", Id, primary_key=True, autoincrement=False),
    Column("state", String(32), nullable=False),
    Column("turned_at", BigInteger, nullable=False),
)

# Append-only: the migration adds triggers that refuse UPDATE and DELETE.
audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(100), nullable=False),
    Column("detail", Text, nullable=False),
)

# The embedded line's journal.
place = Table(
    "place",
    metadata,
    Column("room_id", String(64), primary_key=True),
    Column("number", Id, primary_key=True, autoincrement=False),
    Column("buyer_id", BigInteger, nullable=False),
    # The buyer while the place is live, NULL once it is over: the unique key is "one living place a buyer and room".
    Column("living_buyer_id", BigInteger),
    Column("state", SmallInteger, nullable=False),
    # False, for good, once the place no longer counts in the positions of those behind it.
    Column("counts", Boolean, nullable=False),
    Column("joined_at", BigInteger, nullable=False),
    Column("token_expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("end_cause", SmallInteger),
    UniqueConstraint("room_id", "living_buyer_id"),
    sqlite_with_rowid=False,
)

admission_pass = Table(
    "admission_pass",
    metadata,
    Column("sequence", Id, primary_key=True),
    Column("room_id", String(64), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("returner", Boolean, nullable=False),
    Column("admitted_at", BigInteger, nullable=False),
    # The policy's figure at that moment: what the overlap of passes is checked against.
    Column("max_active", Integer, nullable=False),
    Column("rate", Figure),
    Column("session_ends_at", BigInteger, nullable=False),
    Column("entered_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("end_cause", SmallInteger),
    Index("ix_admission_pass_room_id_number", "room_id", "number"),
    Index("ix_admission_pass_ended_at", "ended_at"),
)

line_mark = Table(
    "line_mark",
    metadata,
    Column("room_id", String(64), primary_key=True),
    Column("last_number", BigInteger, nullable=False),
    Column("serving_number", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Of a line whose store is elsewhere: what it may have given out at most, and up to where its log is recorded.
line_reserve = Table(
    "line_reserve",
    metadata,
    Column("room_id", String(64), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("server", String(64), nullable=False),
    Column("numbers_until", BigInteger, nullable=False),
    Column("told_ms", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

line_key = Table(
    "line_key",
    metadata,
    Column("buyer_id", Id, primary_key=True, autoincrement=False),
    Column("call", String(32), primary_key=True),
    Column("value", String(128), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("room_id", String(64), nullable=False),
    Column("number", BigInteger, nullable=False),
    # What the first answer said of the place; a replay says it again, whatever became of the place since.
    Column("state", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("stored_at", BigInteger, nullable=False, index=True),
    # A place is kept as long as a key names it.
    Index("ix_line_key_room_id_number", "room_id", "number"),
    sqlite_with_rowid=False,
)

# Up to which instant rows of a kind may have been forgotten: what `check` needs whole is whole from there on.
forgotten = Table(
    "forgotten",
    metadata,
    Column("what", String(16), primary_key=True),
    Column("until_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What every process of this database was told alike; see `settings.agreement`.
agreed_setting = Table(
    "agreed_setting",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", String(500), nullable=False),
    sqlite_with_rowid=False,
)

# Who leads in something that one process at a time may do.
lease = Table(
    "lease",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("fence", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("holder", String(100)),
    sqlite_with_rowid=False,
)
