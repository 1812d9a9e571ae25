"""A second server on the same data, or on a taken port, does not start, and says why in one sentence."""

import socket

from tests.e2e.harness.evening import Evening
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.server import command

ROOM = a_room("one-server", a_show(seats=1))
ROOMS = (ROOM,)


def said(output: str) -> list[str]:
    """Return the lines that say something."""
    return [line for line in output.splitlines() if line.strip()]


async def test_a_second_process_on_the_same_file_is_refused(evening: Evening) -> None:
    second = command(evening.database, "serve")
    async with evening.client() as client:
        joined = await evening.fan(client, ROOM.id).join()

    assert second.returncode != 0
    assert len(said(second.stdout + second.stderr)) == 1, second.stdout + second.stderr
    assert "Traceback" not in second.stderr
    assert joined.ok


async def test_a_taken_port_is_named(evening: Evening) -> None:
    elsewhere = evening.database.with_name("elsewhere.db")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = command(elsewhere, "serve", settings={"PORT": str(port)})

    assert refused.returncode != 0
    assert len(said(refused.stdout + refused.stderr)) == 1, refused.stdout + refused.stderr
    assert str(port) in refused.stdout + refused.stderr
