"""How the brokers are reached: where, with which proof of who we are, and for how long somebody waits for them."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from stagedoor.adapters.tls import trusting
from stagedoor.kernel.errors import Fault

REQUEST_MS = 5_000
"""For so long an answer of a broker is waited for, before it is asked again."""

PARTITIONS = 6
REPLICAS_MAX = 3
IN_SYNC_MIN = 2
"""Of three replicas so many must have a message before it counts as sent, so that any one broker may be lost."""


class BrokerFault(Fault):
    """The brokers cannot be reached, do not answer, or refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAccess:
    """
    Where the brokers are and how one proves to be allowed in.

    *protocol* is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; with TLS the
    brokers' certificates are checked against *ca_file*, or what the system
    trusts.
    """

    bootstrap: tuple[str, ...]
    protocol: str = "PLAINTEXT"
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    sasl_mechanism: str = "PLAIN"
    user: str | None = None
    password: str | None = None

    def options(self) -> Mapping[str, Any]:
        """
        Return what each of the library's clients is told.

        Raises OSError for a file that cannot be read, `ssl.SSLError` for one that holds something else.
        """
        # What it has to say at every attempt to reach a dead broker is told once, by whoever needed the broker.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.bootstrap),
            "client_id": "stagedoor",
            "request_timeout_ms": REQUEST_MS,
            "security_protocol": self.protocol,
        }
        if "SSL" in self.protocol:
            context = trusting(None if self.ca_file is None else str(self.ca_file))
            if self.certificate_file is not None:
                context.load_cert_chain(self.certificate_file, self.key_file)
            options["ssl_context"] = context
        if "SASL" in self.protocol:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return options


@contextmanager
def faults_told() -> Iterator[None]:
    """Turn what the library raises, or a wait that was too long, into a `BrokerFault`."""
    try:
        yield
    except (KafkaError, OSError) as error:
        # A TimeoutError is an OSError.
        raise BrokerFault(f"{type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic of ours. What is *settings* is Kafka's words for how it is kept."""

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)

    def settings_on(self, replicas: int) -> Mapping[str, str]:
        """Return how it is kept where so many brokers have each message."""
        if replicas <= IN_SYNC_MIN:
            # One broker that is down would stop all events.
            return self.settings
        return {**self.settings, "min.insync.replicas": str(IN_SYNC_MIN)}


async def look_at(access: KafkaAccess, names: Sequence[str]) -> tuple[int, Sequence[str]]:
    """Return how many brokers there are, and which of *names* are no topics yet. Raises `BrokerFault`."""
    admin = AIOKafkaAdminClient(**access.options())
    with faults_told():
        try:
            await admin.start()
            there = set(await admin.list_topics())
            brokers = len((await admin.describe_cluster())["brokers"])
        finally:
            await admin.close()
    return brokers, [name for name in names if name not in there]


async def make_topics(access: KafkaAccess, topics: Sequence[Topic]) -> None:
    """
    Make those of *topics* that are not there, on as many brokers as there are up to `REPLICAS_MAX`.

    What is there stays as its operator made it. Raises `BrokerFault`.
    """
    admin = AIOKafkaAdminClient(**access.options())
    with faults_told():
        try:
            await admin.start()
            there = set(await admin.list_topics())
            missing = [topic for topic in topics if topic.name not in there]
            if not missing:
                return
            replicas = min(len((await admin.describe_cluster())["brokers"]), REPLICAS_MAX)
            made = await admin.create_topics(
                [
                    NewTopic(topic.name, PARTITIONS, replicas, topic_configs=topic.settings_on(replicas))
                    for topic in missing
                ],
                timeout_ms=REQUEST_MS,
            )
            for name, code, reason in made.topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise for_code(code)(f"the topic {name} cannot be made: {reason}")
        finally:
            await admin.close()
