# ruff: noqa: RUF009 -- `setting` is a field specifier: it returns a dataclass field, which nobody shares
"""The settings of events on Kafka: a part of the table in `model`."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from stagedoor.settings import kinds
from stagedoor.settings.setting import setting

KAFKA = "Events and Kafka"


class KafkaProtocol(StrEnum):
    """How the brokers are spoken to, in Kafka's own words."""

    PLAINTEXT = "plaintext"
    SSL = "ssl"
    SASL_PLAINTEXT = "sasl_plaintext"
    SASL_SSL = "sasl_ssl"

    @property
    def has_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self in {KafkaProtocol.SSL, KafkaProtocol.SASL_SSL}

    @property
    def has_login(self) -> bool:
        """Whether one says who one is, with a password."""
        return self in {KafkaProtocol.SASL_PLAINTEXT, KafkaProtocol.SASL_SSL}


class SaslMechanism(StrEnum):
    """How a password is shown to be known."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


@dataclass(frozen=True, kw_only=True)
class KafkaSettings:
    """Where the brokers are, how they are reached, and who publishes."""

    kafka_bootstrap: tuple[str, ...] | None = setting(
        kinds.optional(kinds.brokers()),
        default=None,
        meaning="The Kafka brokers that events are published to. Unless set, events stay in the house. All processes "
        "on one database have to agree on whether it is set.",
        group=KAFKA,
    )
    relay_in_server: bool = setting(
        kinds.yes_no(),
        default=True,
        meaning="Whether the server publishes to Kafka, one process at a time; if not, `stagedoor relay` has to.",
        group=KAFKA,
    )
    kafka_security_protocol: KafkaProtocol = setting(
        kinds.as_enum(KafkaProtocol),
        default=KafkaProtocol.PLAINTEXT,
        meaning="How the brokers are spoken to: plaintext, ssl (TLS), sasl_plaintext (a password) or sasl_ssl (both).",
        group=KAFKA,
    )
    kafka_ca_file: Path | None = setting(
        kinds.optional(kinds.file()),
        default=None,
        meaning="The certificates (PEM) that the brokers' are checked against; unless set, those the system trusts.",
        group=KAFKA,
    )
    kafka_certificate_file: Path | None = setting(
        kinds.optional(kinds.file()),
        default=None,
        meaning="Our own certificate (PEM), for brokers that ask for one.",
        group=KAFKA,
    )
    kafka_key_file: Path | None = setting(
        kinds.optional(kinds.file()),
        default=None,
        meaning="The key (PEM) of that certificate.",
        group=KAFKA,
    )
    kafka_sasl_mechanism: SaslMechanism = setting(
        kinds.as_enum(SaslMechanism),
        default=SaslMechanism.SCRAM_SHA_512,
        meaning="How the password is shown to be known: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.",
        group=KAFKA,
    )
    kafka_user: str | None = setting(
        kinds.optional(kinds.text("the name of a user")),
        default=None,
        meaning="Whom the brokers know us as. Needed with sasl_plaintext and sasl_ssl.",
        group=KAFKA,
    )
    kafka_password: str | None = setting(
        kinds.optional(kinds.password()),
        default=None,
        meaning="That user's password.",
        group=KAFKA,
        has_flag=False,
    )
