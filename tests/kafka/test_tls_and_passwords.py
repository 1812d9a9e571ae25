"""Kafka behind TLS, a password and certificates on both sides, reached by the settings alone."""

import asyncio
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from typing_extensions import override

from scripts.services import Kafka
from scripts.services.certificates import AUTHORITY, CERTIFICATE, KEY, issue
from scripts.services.kafka import java
from scripts.services.server import HOST
from stagedoor.adapters.kafka.access import BrokerFault
from stagedoor.adapters.kafka.publisher import KafkaPublisher
from stagedoor.adapters.kafka.stream import KafkaStream
from stagedoor.bootstrap.events import kafka_access
from stagedoor.settings import SettingsError, load
from tests.builders.events import paid
from tests.e2e.harness.until import until
from tests.engines.fixtures import held
from tests.kafka.house import LOOKS

SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"
USER, PASSWORD, WRONG = "box-office", "correct-horse", "battery-staple"
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
MECHANISMS = ("PLAIN", *SCRAM)


class StrictKafka(Kafka):
    """It wants a certificate of its clients too, and knows users by all three mechanisms."""

    @override
    def _secured(self) -> Mapping[str, str]:
        login = "listener.name.clients.{}.sasl.jaas.config"
        users = super()._secured()
        plain = login.format("plain")
        return {
            **users,
            **{login.format(each.lower()): f"{SCRAM_LOGIN} required;" for each in SCRAM},
            plain: users[plain].replace(";", f' user_{USER}="{PASSWORD}";'),
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "listener.name.clients.ssl.client.auth": "required",  # without its listener named it is ignored with SASL
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority),
        }

    def add_user(self) -> None:
        """Make the user known by the mechanisms that keep salted digests."""
        # Kafka's own tool takes one of them at a time.
        for each in SCRAM:
            change = ("--alter", "--add-config", f"{each}=[password={PASSWORD}]")
            whom = ("--entity-type", "users", "--entity-name", USER)
            tool = [*java("kafka.admin.ConfigCommand"), "--bootstrap-server", f"{HOST}:{self._plain_port}"]
            subprocess.run([*tool, *change, *whom], check=True, capture_output=True)  # noqa: S603 -- see above


@pytest.fixture(scope="module")
def strict() -> Iterator[StrictKafka]:
    for server in held(StrictKafka(tls=True)):
        server.add_user()
        yield server


def settings_for(kafka: Kafka, mechanism: str, **changed: str) -> dict[str, str]:
    told = {
        "BOOTSTRAP": kafka.bootstrap,
        "SECURITY_PROTOCOL": "sasl_ssl",
        "SASL_MECHANISM": mechanism,
        "USER": USER,
        "PASSWORD": PASSWORD,
        "CA_FILE": str(kafka.authority),
        "CERTIFICATE_FILE": str(kafka.folder / CERTIFICATE),
        "KEY_FILE": str(kafka.folder / KEY),
        **changed,
    }
    return {f"STAGEDOOR_KAFKA_{name}": value for name, value in told.items() if value}


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_events_are_published_and_consumed(strict: StrictKafka, mechanism: str) -> None:
    access = kafka_access(load(flags={}, environ=settings_for(strict, mechanism)))
    publisher, stream = KafkaPublisher(access), KafkaStream(access)

    await publisher.publish([paid(mechanism)])
    seen: list[str] = []

    async def take() -> list[str]:
        seen.extend(each.event.event_id for each in await stream.take(limit=10) if each.event is not None)
        return seen

    await until(take, lambda ids: mechanism in ids, looks=LOOKS)
    await stream.close()
    await publisher.close()


async def refusal(kafka: Kafka, **changed: str) -> str:
    """Return why nothing can be published with other settings than the right ones."""
    before = sockets()
    publisher = KafkaPublisher(kafka_access(load(flags={}, environ=settings_for(kafka, "SCRAM-SHA-512", **changed))))
    with pytest.raises(BrokerFault) as fault:
        await publisher.publish([paid("never")])
    await publisher.close()
    # The client leaves a connection that was refused to the loop, which must not end before that has closed it.
    await until(partial(asyncio.to_thread, sockets), lambda left: left <= before, looks=LOOKS)
    return str(fault.value)


def sockets() -> int:
    """Count the sockets that are open in this process."""
    links = [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return sum(link.name.startswith("socket:") for link in links)


async def test_a_wrong_password_is_refused_and_not_told(strict: StrictKafka) -> None:
    assert WRONG not in await refusal(strict, PASSWORD=WRONG)


async def test_a_broker_that_nobody_vouches_for_is_not_spoken_to(strict: StrictKafka, tmp_path: Path) -> None:
    issue(tmp_path, address=HOST)

    assert await refusal(strict, CA_FILE=str(tmp_path / AUTHORITY))


async def test_a_client_without_a_certificate_is_refused(strict: StrictKafka) -> None:
    assert await refusal(strict, CERTIFICATE_FILE="", KEY_FILE="")


def test_a_file_that_holds_something_else_stops_the_start(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("this is no certificate")
    settings = load(
        flags={},
        environ={
            "STAGEDOOR_KAFKA_BOOTSTRAP": "localhost:9092",
            "STAGEDOOR_KAFKA_SECURITY_PROTOCOL": "ssl",
            "STAGEDOOR_KAFKA_CA_FILE": str(wrong),
        },
    )

    with pytest.raises(SettingsError, match="The certificates for Kafka cannot be used"):
        kafka_access(settings)
