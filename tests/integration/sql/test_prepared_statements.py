"""Statements handed to the driver as they are: the rows, counts and errors are those of SQLAlchemy's own way."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError, OperationalError

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql import driver
from stagedoor.adapters.sql.bulk import Bulk
from stagedoor.adapters.sql.sized import SizedQuery, SizedWrite, listed
from stagedoor.adapters.sql.tables import member, wallet
from stagedoor.kernel.errors import Fault
from tests.builders.sale import BALANCE

WALLETS = select(wallet.c.buyer_id).where(
    wallet.c.buyer_id.in_(listed("ids")),
    wallet.c.balance_won.in_([BALANCE, 1]),
    wallet.c.buyer_id < bindparam("below"),
)


@pytest.fixture
def connection(sold_from: SqliteFile) -> Iterator[Connection]:
    with sold_from.write_engine.connect() as opened:
        opened.begin()
        yield opened


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 63, 64, 65, 200])
def test_a_list_of_any_size(connection: Connection, size: int) -> None:
    ids = list(range(1, size + 1))

    rows = SizedQuery(WALLETS.order_by(wallet.c.buyer_id), "ids")(connection, ids=ids, below=60)

    assert [row[0] for row in rows] == [number for number in ids if number < 60]


def test_few_sizes_have_few_texts() -> None:
    query = SizedQuery(WALLETS, "ids")

    texts = {query.text_for(sqlite.dialect(), ids=list(range(size))) for size in range(1, 129)}

    assert len(texts) == 8


@pytest.mark.parametrize("size", [1, 3, 100])
def test_writes_are_counted_once_a_row(connection: Connection, size: int) -> None:
    ids = list(range(1, size + 1))
    change = SizedWrite(
        update(wallet).where(wallet.c.buyer_id.in_(listed("ids"))).values(balance_won=bindparam("new")), "ids"
    )
    remove = SizedWrite(delete(wallet).where(wallet.c.buyer_id.in_(listed("ids")), wallet.c.balance_won == 7), "ids")

    assert change(connection, ids=ids, new=7) == size
    assert remove(connection, ids=[*ids, 200]) == size


def test_many_rows_with_a_constant_among_them(connection: Connection) -> None:
    take = Bulk.change(
        {"buyer": wallet.c.buyer_id, "left": wallet.c.balance_won},
        lambda given: (
            update(wallet)
            .where(wallet.c.buyer_id == given["buyer"], wallet.c.balance_won == BALANCE)
            .values(balance_won=given["left"])
        ),
    )

    assert take(connection, [(1, 5), (2, 6), (404, 7)]) == 2
    assert take(connection, [(1, 5)]) == 0
    assert take(connection, []) == 0
    rows = connection.execute(select(wallet.c.balance_won).where(wallet.c.buyer_id.in_([1, 2]))).scalars()
    assert list(rows) == [5, 6]


class TestErrors:
    def test_a_refusing_constraint_is_an_integrity_error(self, connection: Connection) -> None:
        with pytest.raises(IntegrityError, match=r"member\.id"):
            Bulk.insert(member, "id", "created_at")(connection, [(1, 1)])

    def test_whatever_else_fails_in_the_database_is_an_operational_one(self, connection: Connection) -> None:
        for run in (driver.fetch, driver.write, driver.write_many):
            with pytest.raises(OperationalError, match="no such table"):
                run(connection, "DELETE FROM nowhere", [])

    def test_it_tells_nothing_of_the_parameters(self, connection: Connection) -> None:
        with pytest.raises(IntegrityError) as error:
            Bulk.insert(member, "id", "created_at")(connection, [(1, 424242)])

        assert "424242" not in str(error.value)

    def test_our_own_mistakes_stay_what_they_are(self, connection: Connection) -> None:
        with pytest.raises(TypeError):
            driver.fetch(connection, None, [])  # type: ignore[arg-type]  # that is the mistake

    async def test_through_the_lanes_it_is_a_fault(self, sold_from: SqliteFile) -> None:
        with pytest.raises(Fault):
            await sold_from.reading(lambda opened: driver.fetch(opened, "SELECT * FROM nowhere", []))


def test_an_insert_names_columns_there_are() -> None:
    with pytest.raises(AssertionError):
        Bulk.insert(member, "id", "nickname")


def test_the_order_of_the_tuples_is_the_order_said(connection: Connection) -> None:
    Bulk.insert(member, "created_at", "id")(connection, [(17, 9_999)])

    assert connection.execute(select(member).where(member.c.id == 9_999)).one() == (9_999, 17)
