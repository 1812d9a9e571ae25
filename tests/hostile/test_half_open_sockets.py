"""Two thousand sockets that say nothing, or half of something: buyers do not notice, and the sockets are taken back."""

import asyncio
import resource
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.server import Server
from tests.e2e.harness.until import until
from tests.hostile.conftest import OPEN, Houses
from tests.hostile.raw import HOST, NotHttpError, answers_in, exchange

SOCKETS = 2_000
BUYERS = 20
OPEN_FILES = SOCKETS + 500
FEW_FILES = Path(__file__).with_name("few_files.py")
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
HALVES = (
    b"",
    b"GET /v1/api/concerts HTTP/1.1\r\nHost: x\r\nX-Mo",
    b'POST /v1/api/queue/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"userId":',
)

Socket = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(autouse=True)
def many_files() -> None:
    """The attacker has as many files open as the server."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))


async def opened(stack: AsyncExitStack, house: Evening, half: bytes) -> Socket:
    """Open a socket, send half of something, and leave it at that."""
    reader, writer = await asyncio.open_connection(HOST, house.server.port)
    stack.callback(writer.close)
    writer.write(half)
    return reader, writer


async def buy(house: Evening, client: Client, number: int) -> Fan:
    """Go the whole way, from the line to the order."""
    show = house.show(OPEN.id)
    fan = house.fan(client, OPEN.id)
    await fan.enter()
    held = await fan.reserve(show.schedule_id, show.seat_ids[number])
    paid = await fan.pay(held.data["reservationId"])
    assert paid.ok, str(paid)
    return fan


async def last_word(reader: asyncio.StreamReader) -> int:
    """Return the status that a half request is answered with in the end."""
    [answer] = answers_in(await reader.read())
    return answer.status


async def test_buyers_do_not_notice(houses: Houses) -> None:
    with houses() as house:
        async with house.client() as client, AsyncExitStack() as stack:
            sockets = [await opened(stack, house, HALVES[number % 3]) for number in range(SOCKETS)]
            await asyncio.gather(*(buy(house, client, number) for number in range(BUYERS)))
            halves = [reader for number, (reader, _) in enumerate(sockets) if number % 3]
            async with asyncio.timeout(60):
                statuses = Counter(await asyncio.gather(*(last_word(reader) for reader in halves)))
            # The silent ones may stay as long as any connection that is kept alive.
            silent = [reader for number, (reader, _) in enumerate(sockets) if not number % 3]
            ended = sum(reader.at_eof() for reader in silent)
        house.check()

    assert statuses == {400: len(halves)}
    assert ended == 0


async def test_beyond_the_open_files_it_goes_on_afterwards(houses: Houses) -> None:
    with houses() as house:
        house.server.stop()
        house.server = Server.start(house.database, program=(str(FEW_FILES),))
        async with AsyncExitStack() as stack:
            for _ in range(300):
                await opened(stack, house, HEALTH[:20])

        async def healthy() -> bool:
            try:
                return b"HTTP/1.1 200 " in await exchange(house.server.port, HEALTH)
            except NotHttpError:
                return False

        assert await until(healthy, bool)
        assert "server.few_open_files" in house.server.log.read_text()
        assert house.server.stop() == 0
        house.check()
