"""What uvloop and drivers on it say of a reset connection is a fault; any other RuntimeError stays a bug of ours."""

import asyncio

import pytest
import uvloop
from sqlalchemy import Connection, event, text

from stagedoor.adapters.resets import was_reset
from stagedoor.adapters.sql.server_lanes import ConnectionLost, ServerLanes

NOWHERE = "mariadb://nobody:nothing@127.0.0.1:1/none"


def ask(connection: Connection) -> object:
    return connection.scalar(text("SELECT 1"))


async def asked(said: str) -> None:
    """Ask a database whose driver says that while it connects."""
    lanes = ServerLanes(NOWHERE)

    def connect(*_: object) -> None:
        raise RuntimeError(said)

    event.listen(lanes._read_engine.sync_engine, "do_connect", connect)  # noqa: SLF001 -- in the place of the network
    try:
        await lanes.reading(ask)
    finally:
        await lanes.close()


async def test_a_driver_that_was_reset_while_it_connected_has_lost_the_connection() -> None:
    with pytest.raises(ConnectionLost):
        await asked("Transport does not expose socket instance")


async def test_a_bug_of_ours_is_none_of_the_networks() -> None:
    with pytest.raises(RuntimeError, match="dictionary changed size"):
        await asked("dictionary changed size during iteration")


def test_so_says_uvloop_of_a_write_on_what_was_closed() -> None:
    async def written_too_late() -> None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.transport.abort()
            await asyncio.sleep(0.01)
            writer.writelines([b"too late"])

    with (
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        pytest.raises(RuntimeError) as told,
    ):
        runner.run(written_too_late())

    assert was_reset(told.value)
