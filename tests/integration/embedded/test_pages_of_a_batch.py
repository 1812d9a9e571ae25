"""Rows that are written together lie together: how many pages of the file a batch changes, counted in the log."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from stagedoor.kernel.clock import MINUTE_MS, SECOND_MS, Instant, later
from stagedoor.kernel.ids import WIRE_ID_BITS, unguessable
from tests.builders.sale import NOON
from tests.builders.store import before_the_sale

SOLD = 30_000
BATCH = 64
A_SECOND = 2_000
FRAME_BYTES = 4_096 + 24
ORDER = "INSERT INTO purchase (id, hold_id, buyer_id, performance_id, amount_won, paid_at) VALUES (?, ?, ?, ?, ?, ?)"

MakeId = Callable[[Instant], int]


def of_one_moment() -> MakeId:
    bits = Random(7).getrandbits
    return lambda at: unguessable(bits, at)


def all_drawn() -> MakeId:
    """The negative control: ids of which every bit is drawn."""
    bits = Random(7).getrandbits
    return lambda _at: bits(WIRE_ID_BITS)


def orders(make: MakeId, count: int, *, begin_at: Instant) -> Iterator[tuple[int, ...]]:
    for nth in range(count):
        at = later(begin_at, nth * SECOND_MS // A_SECOND)
        yield make(at), make(at), nth, 1, 1, at


def pages_of_a_batch(path: Path, make: MakeId) -> int:
    """Return how many pages one batch of orders changes in a house that has sold many."""
    path.write_bytes(before_the_sale())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
        for count, begin_at in ((SOLD, NOON), (BATCH, later(NOON, MINUTE_MS))):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.execute("BEGIN")
            connection.executemany(ORDER, orders(make, count, begin_at=begin_at))
            connection.execute("COMMIT")
        return path.with_name(f"{path.name}-wal").stat().st_size // FRAME_BYTES


@pytest.mark.parametrize(
    ("make", "at_least", "at_most"), [(of_one_moment, 1, 24), (all_drawn, BATCH, 3 * BATCH)], ids=["ours", "control"]
)
def test_a_batch_changes_few_pages_however_many_orders_there_are(
    tmp_path: Path, make: Callable[[], MakeId], at_least: int, at_most: int
) -> None:
    assert at_least <= pages_of_a_batch(tmp_path / "stagedoor.db", make()) <= at_most
