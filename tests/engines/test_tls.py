"""Engines that refuse whoever does not encrypt, and the product's own way in."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from redis.asyncio import Redis as RedisClient
from redis.exceptions import ConnectionError as NoConnection
from sqlalchemy import Connection, text

from scripts.services import Kafka, MariaDB, PostgreSQL, Redis
from scripts.services.__main__ import as_setting
from scripts.services.certificates import AUTHORITY, issue
from stagedoor.adapters.sql.lanes import DatabaseFault
from stagedoor.adapters.sql.server_lanes import ServerLanes

PROTOCOL = {
    "mariadb": "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'SSL_VERSION'",
    "postgres": "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
}
DATABASES = pytest.mark.parametrize("database", [MariaDB, PostgreSQL], indirect=True, ids=["mariadb", "postgres"])


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> Iterator[MariaDB | PostgreSQL]:
    with request.param(tls=True) as server:
        yield server


@pytest.fixture
def url(database: MariaDB | PostgreSQL) -> str:
    return as_setting(database.new_database())


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """An authority that has signed nothing here."""
    issue(tmp_path, address="127.0.0.1")
    return tmp_path / AUTHORITY


async def ask(url: str, statement: str) -> object:
    lanes = ServerLanes(url)

    def step(connection: Connection) -> object:
        return connection.execute(text(statement)).scalar_one()

    try:
        return await lanes.reading(step)
    finally:
        await lanes.close()


@DATABASES
async def test_a_database_is_reached_by_tls(database: MariaDB | PostgreSQL, url: str) -> None:
    secured = f"{url}?sslmode=verify-full&sslrootcert={database.authority}"

    assert await ask(secured, PROTOCOL[database.name]) in ("TLSv1.2", "TLSv1.3")
    assert await ask(f"{url}?sslmode=require", PROTOCOL[database.name]) in ("TLSv1.2", "TLSv1.3")


@DATABASES
async def test_a_database_that_wants_tls_refuses_who_does_not_encrypt(url: str) -> None:
    with pytest.raises(DatabaseFault):
        await ask(url, "SELECT 1")


@DATABASES
async def test_a_database_that_nobody_vouches_for_is_told_nothing(url: str, stranger: Path) -> None:
    for mode in ("verify-ca", "verify-full"):
        with pytest.raises(DatabaseFault):
            await ask(f"{url}?sslmode={mode}&sslrootcert={stranger}", "SELECT 1")


@DATABASES
async def test_a_certificate_for_another_name_is_not_enough_for_verify_full(
    database: MariaDB | PostgreSQL, url: str
) -> None:
    elsewhere = url.replace("127.0.0.1", "localhost")
    trusted = f"sslrootcert={database.authority}"

    assert await ask(f"{elsewhere}?sslmode=verify-ca&{trusted}", "SELECT 1") == 1
    with pytest.raises(DatabaseFault):
        await ask(f"{elsewhere}?sslmode=verify-full&{trusted}", "SELECT 1")


async def test_redis_is_reached_by_tls_alone(stranger: Path) -> None:
    with Redis(tls=True) as server:
        async with RedisClient.from_url(server.url, ssl_ca_certs=str(server.authority)) as client:
            assert await client.ping()
        for url in (server.url.replace("rediss:", "redis:"), f"{server.url}?ssl_ca_certs={stranger}"):
            async with RedisClient.from_url(url) as client:
                with pytest.raises(NoConnection):
                    await client.ping()


async def test_kafka_is_reached_by_tls_and_with_a_password() -> None:
    with Kafka(tls=True) as server:
        secured = {
            "bootstrap_servers": server.bootstrap,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": "stagedoor",
            "sasl_plain_password": server.password,
            "ssl_context": ssl.create_default_context(cafile=server.authority),
        }
        async with AIOKafkaProducer(**secured) as producer:
            await producer.send_and_wait("seats", b"7")
        async with AIOKafkaConsumer("seats", auto_offset_reset="earliest", **secured) as consumer:
            assert (await consumer.getone()).value == b"7"

        guessing = AIOKafkaProducer(**secured | {"sasl_plain_password": "guessed"})
        with pytest.raises(KafkaConnectionError):
            await guessing.start()
        await guessing.stop()
