"""A network that resets every connection: on the loop that the product runs on, none of them is used again."""

import asyncio
import re
from collections.abc import Iterator

import pytest
import uvloop

from scripts.services import Redis
from stagedoor.adapters.redis.client import RedisClient, StoreLost
from tests.faults.proxy import Proxy

AT_ONCE = 4
ROUNDS = 5


@pytest.fixture
def proxy(redis_server: Redis) -> Iterator[Proxy]:
    with Proxy(redis_server.port) as proxy:
        yield proxy


async def asked(client: RedisClient, server: str) -> list[object]:
    """Ask on several connections at once."""
    asking = (client.command("PING", server=server) for _ in range(AT_ONCE))
    return list(await asyncio.gather(*asking, return_exceptions=True))


async def before_while_and_after(client: RedisClient, proxy: Proxy) -> tuple[list[object], list[object], list[object]]:
    """Ask while all is well, while all connections are refused, and afterwards."""
    server = await client.serving()
    before = await asked(client, server)
    proxy.down()
    # By now every connection has been reset, and nobody has looked at them.
    await asyncio.sleep(0.05)
    meanwhile = [answer for _ in range(ROUNDS) for answer in await asked(client, server)]
    proxy.up()
    after = [answer for _ in range(ROUNDS) for answer in await asked(client, server)]
    return before, meanwhile, after


def test_connections_that_were_reset_are_replaced(redis_url: str, proxy: Proxy) -> None:
    async def story() -> tuple[list[object], list[object], list[object]]:
        client = RedisClient(re.sub(r":\d+/0$", f":{proxy.port}/0", redis_url))
        try:
            return await before_while_and_after(client, proxy)
        finally:
            await client.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        before, meanwhile, after = runner.run(story())

    assert before == [True] * AT_ONCE
    assert {type(answer) for answer in meanwhile} == {StoreLost}
    assert after == [True] * ROUNDS * AT_ONCE
