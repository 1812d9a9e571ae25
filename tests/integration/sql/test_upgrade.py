"""A file of release 0.1 is brought up to date with everything that is in it, and the sale goes on."""

from pathlib import Path

from sqlalchemy import Connection

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql import schema
from stagedoor.kernel.clock import ManualClock
from tests.builders import part2
from tests.builders.part2 import LAST_SEEN_AT, the_sale_goes_on
from tests.builders.store import House


def upgrade(connection: Connection) -> part2.Rows:
    part2.make(connection)
    assert schema.current(connection) == part2.STEP
    schema.upgrade(connection)
    return part2.stored(connection)


async def test_what_was_in_it_is_in_it_and_the_sale_goes_on(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "of 0.1.db")
    async with file.writing() as transaction:
        after = await transaction.run(upgrade)
        await transaction.commit(proof=lambda _: False)

    assert await file.reading(schema.current) == schema.HEAD
    assert part2.same(after, part2.rows())
    await the_sale_goes_on(House(file, ManualClock(LAST_SEEN_AT)))
    await file.close()
