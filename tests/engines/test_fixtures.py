"""What a test gets is a real engine, as durable as a sale asks for, with nothing in it."""

import asyncio
import hashlib

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from scripts.services import MariaDB, PostgreSQL

DATABASES = ("mariadb_url", "postgres_url")
DURABLE = {
    "mariadb_url": ("SELECT @@innodb_flush_log_at_trx_commit", "1"),
    "postgres_url": ("SELECT current_setting('synchronous_commit') || current_setting('fsync')", "onon"),
}


async def ask(url: str, *statements: str) -> list[str]:
    """Run *statements* at *url*, each in a transaction, and return all values of the last as text."""
    engine = create_async_engine(url)
    values: list[str] = []
    try:
        for statement in statements:
            async with engine.begin() as connection:
                result = await connection.execute(text(statement))
                values = [str(value) for row in result for value in row] if result.returns_rows else []
        return values
    finally:
        await engine.dispose()


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("turn", [1, 2])
async def test_a_database_is_empty_in_each_turn(name: str, turn: int, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(name)

    assert await ask(url, "CREATE TABLE seat AS SELECT 7 AS id", "SELECT id FROM seat") == ["7"], turn


@pytest.mark.parametrize("name", DATABASES)
async def test_what_is_committed_is_on_the_disk(name: str, request: pytest.FixtureRequest) -> None:
    statement, durable = DURABLE[name]

    assert await ask(request.getfixturevalue(name), statement) == [durable]


@pytest.mark.parametrize("name", DATABASES)
async def test_a_database_is_utf8(name: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(name)

    values = await ask(
        url, "CREATE TABLE buyer (name VARCHAR(20))", "INSERT INTO buyer VALUES ('가나다 🎫')", "SELECT name FROM buyer"
    )

    assert values == ["가나다 🎫"]


@pytest.mark.parametrize("name", DATABASES)
async def test_nobody_comes_in_without_the_password(name: str, request: pytest.FixtureRequest) -> None:
    url = make_url(request.getfixturevalue(name)).set(password="guessed")  # noqa: S106 -- a wrong one

    with pytest.raises(DBAPIError, match=r"password authentication failed|Access denied"):
        await ask(url.render_as_string(hide_password=False), "SELECT 1")


async def test_a_database_can_be_dropped_while_somebody_is_connected(mariadb: MariaDB, postgres: PostgreSQL) -> None:
    for server in (mariadb, postgres):
        url = server.new_database()
        engine = create_async_engine(url)
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            await asyncio.to_thread(server.drop_database, url)
            await connection.invalidate()
        await engine.dispose()

        with pytest.raises(DBAPIError, match=r"Unknown database|does not exist"):
            await ask(url, "SELECT 1")


@pytest.mark.parametrize("turn", [1, 2])
async def test_a_redis_is_empty_in_each_turn(turn: int, redis_url: str) -> None:
    script = "return 7"
    async with Redis.from_url(redis_url) as client:
        assert await client.dbsize() == 0
        assert await client.script_exists(hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()) == [False]

        await client.script_load(script)
        await client.set("seat", turn)

        assert await client.get("seat") == str(turn).encode()


@pytest.mark.parametrize("turn", [1, 2])
async def test_a_kafka_is_empty_in_each_turn(turn: int, kafka_bootstrap: str) -> None:
    message = str(turn).encode()
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, enable_idempotence=True) as producer:
        sent = await producer.send_and_wait("seats", message)
    async with AIOKafkaConsumer("seats", bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest") as consumer:
        received = await consumer.getone()

    assert (sent.offset, received.value) == (0, message)
