"""A reply of a real Redis is lost, doubled or late: what was asked has been done all the same, and once."""

import asyncio
from collections.abc import Iterator

import pytest
from redis.asyncio import Connection, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected

from scripts.services import Redis as Server
from tests.faults.redis_replies import Delayed, Duplicated, Lost, RedisProxy

ADD = "return redis.call('INCR', KEYS[1])"


@pytest.fixture
def proxy(redis_server: Server) -> Iterator[RedisProxy]:
    redis_server.empty()
    with RedisProxy(redis_server.port) as proxy:
        yield proxy


def client_of(proxy: RedisProxy, server: Server) -> Redis:
    """Return a client that asks once, on one connection."""
    pool = ConnectionPool(
        host="127.0.0.1",
        port=proxy.port,
        password=server.password,
        max_connections=1,
        retry=Retry(NoBackoff(), 0),
        connection_class=Connection,
    )
    return Redis.from_pool(pool)


async def test_a_lost_reply_is_of_a_command_that_was_done(proxy: RedisProxy, redis_server: Server) -> None:
    async with client_of(proxy, redis_server) as client:
        with proxy.toxic(lost := Lost(b"INCR")):
            assert await client.ping()
            with pytest.raises(Disconnected):
                await client.eval(ADD, 1, "places")
            assert await client.get("places") == b"1"

            assert await client.eval(ADD, 1, "places") == 2

    assert len(lost.happened) == 1
    assert proxy.commands["EVAL"] == 2


async def test_a_doubled_reply_comes_twice_and_the_command_was_done_once(
    proxy: RedisProxy, redis_server: Server
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    with proxy.toxic(Duplicated(b"INCR")):
        for command in (["AUTH", redis_server.password], ["INCR", "places"], ["INCR", "places"]):
            writer.write(f"*{len(command)}\r\n".encode())
            writer.writelines(f"${len(word)}\r\n{word}\r\n".encode() for word in command)

        replies = [await reader.readline() for _ in range(4)]

    assert replies == [b"+OK\r\n", b":1\r\n", b":1\r\n", b":2\r\n"]
    assert proxy.commands == {"AUTH": 1, "INCR": 2}
    writer.close()


async def test_a_late_reply_holds_up_its_own_connection_and_no_other(proxy: RedisProxy, redis_server: Server) -> None:
    async with client_of(proxy, redis_server) as late, client_of(proxy, redis_server) as other:
        with proxy.toxic(delayed := Delayed(b"INCR", ms=600_000)):
            waiting = asyncio.ensure_future(late.eval(ADD, 1, "places"))
            while not delayed.happened:
                await other.ping()
            assert await other.get("places") == b"1"
            assert not waiting.done()
            proxy.remove(delayed)

            assert await waiting == 1
