"""What a server only notes is not told to the operator, who sees nothing else when she migrates."""

import pytest
from sqlalchemy import text

from scripts.services.__main__ import as_setting
from stagedoor.adapters.sql.server_lanes import ServerLanes

NAMED = text("CREATE TABLE seat (id INTEGER, CONSTRAINT pk_seat PRIMARY KEY (id))")


async def test_a_note_about_the_name_of_a_key_is_not_logged(mariadb_url: str, caplog: pytest.LogCaptureFixture) -> None:
    lanes = ServerLanes(as_setting(mariadb_url))
    async with lanes.writing() as transaction:
        await transaction.run(lambda connection: connection.execute(NAMED))
        await transaction.commit(proof=lambda _: True)
    await lanes.close()

    assert [record.message for record in caplog.records if record.name.startswith("asyncmy")] == []
