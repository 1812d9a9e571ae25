"""Members made in bulk: each with a wallet, and a transfer that says where the money came from."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, func, select

from stagedoor.adapters.sql import schema, seeding, tables
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import WIRE_ID_BITS
from stagedoor.kernel.money import Won
from stagedoor.wallet.model import FUNDING, TransferKind

NOW = Instant(1_800_000_000_000)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{tmp_path / 'a night.db'}")
    with engine.begin() as connection:
        schema.upgrade(connection)
        yield connection
    engine.dispose()


def count(connection: Connection, table: str) -> int:
    return connection.scalar(select(func.count()).select_from(tables.metadata.tables[table])) or 0


def seed(connection: Connection, first: int, number: int, balance_won: int = 300_000) -> int:
    return sum(
        seeding.seed_members(connection, ids, balance_won=Won(balance_won), now=NOW)
        for ids in seeding.batches(first, number)
    )


def test_every_member_has_a_wallet_and_a_transfer(connection: Connection) -> None:
    made = seed(connection, 1, 3)

    assert made == 3
    assert connection.execute(select(tables.member.c.id)).scalars().all() == [1, 2, 3]
    assert connection.execute(select(tables.wallet)).all() == [(1, 300_000), (2, 300_000), (3, 300_000)]
    transfers = connection.execute(select(tables.transfer).order_by(tables.transfer.c.buyer_id)).all()
    assert [(row.kind, row.debit, row.credit, row.amount_won, row.posted_at) for row in transfers] == [
        (TransferKind.CHARGE, FUNDING, "wallet:1", 300_000, NOW),
        (TransferKind.CHARGE, FUNDING, "wallet:2", 300_000, NOW),
        (TransferKind.CHARGE, FUNDING, "wallet:3", 300_000, NOW),
    ]


def test_transfers_of_one_moment_share_nothing(connection: Connection) -> None:
    # A million ids that share their first bits would meet; each bit is set in about half of these.
    seed(connection, 1, 1_000)

    ids = connection.scalars(select(tables.transfer.c.id)).all()

    for bit in range(WIRE_ID_BITS):
        assert 400 < sum(transfer_id >> bit & 1 for transfer_id in ids) < 600


def test_who_is_a_member_already_is_left_alone(connection: Connection) -> None:
    seed(connection, 2, 2, balance_won=7)

    made = seed(connection, 1, 4, balance_won=9)

    assert made == 2
    assert connection.execute(select(tables.wallet)).all() == [(1, 9), (2, 7), (3, 7), (4, 9)]
    assert count(connection, "transfer") == 4


def test_an_empty_wallet_needs_no_transfer(connection: Connection) -> None:
    seed(connection, 1, 2, balance_won=0)

    assert connection.execute(select(tables.wallet)).all() == [(1, 0), (2, 0)]
    assert count(connection, "transfer") == 0


def test_batches_cover_exactly_what_was_asked() -> None:
    ids = [number for batch in seeding.batches(5, 2 * seeding.BATCH_ROWS + 1) for number in batch]

    assert ids == list(range(5, 5 + 2 * seeding.BATCH_ROWS + 1))


def test_a_hundred_thousand_take_less_than_five_seconds(connection: Connection) -> None:
    began = time.process_time()

    made = seed(connection, 1, 100_000)

    assert made == 100_000
    assert time.process_time() - began < 5
