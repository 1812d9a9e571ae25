"""`stagedoor relay` and `stagedoor consume`: processes beside the servers, for whoever has Kafka."""

import typer

from stagedoor.bootstrap import apart
from stagedoor.cli.options import SETTING_FLAGS, Flags, command, settings_of
from stagedoor.cli.sentences import Misused
from stagedoor.settings import Settings
from stagedoor.settings.setting import variable

NAMES = {"data_dir", "database_url", "config", "log_level", "log_format"}
APART_FLAGS = tuple(each for each in SETTING_FLAGS if each.name in NAMES or each.name.startswith("kafka_"))

consumers = typer.Typer(
    name="consume", help="Act on events from Kafka; any number of processes share the work.", no_args_is_help=True
)


def add_relay(app: typer.Typer, *, panel: str) -> None:
    """Give *app* the command `relay`."""
    command(
        app,
        "relay",
        panel=panel,
        flags=APART_FLAGS,
        epilog="Example: `stagedoor relay --kafka-bootstrap kafka-1:9092,kafka-2:9092`",
    )(relay)


def relay(flags: Flags) -> None:
    """
    Publish events to Kafka until Ctrl-C or SIGTERM, whenever no other process does.

    Servers do that too, unless RELAY_IN_SERVER says no. One process at a time publishes; another takes over within two
    seconds of its death.
    """
    apart.relay(with_kafka(settings_of(flags)))


@command(consumers, "notifications", flags=APART_FLAGS)
def consume_notifications(flags: Flags) -> None:
    """
    Note every paid order for its buyer, once, until Ctrl-C or SIGTERM.

    What cannot be acted on is tried again, later each time, and then set aside: `stagedoor events dead list`.
    """
    apart.consume_notifications(with_kafka(settings_of(flags)))


def with_kafka(settings: Settings) -> Settings:
    """Return *settings* if they name a Kafka. Raises `Misused`."""
    if settings.kafka_bootstrap is None:
        raise Misused(f"{variable('kafka_bootstrap')} is not set: without Kafka the server itself tells of everything")
    return settings
