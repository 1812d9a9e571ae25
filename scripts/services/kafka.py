"""Kafka in KRaft mode: one node that is broker and controller, from the jars that `make tools` builds."""

import os
import secrets
import shutil
import socket
import struct
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.services.certificates import CERTIFICATE, KEY
from scripts.services.kept import TOOLS, kept
from scripts.services.server import HOST, Server, free_port, run

POM = Path(__file__).with_name("pom.xml")
VERSION = POM.read_text(encoding="utf-8").partition("<kafka.version>")[2].partition("<")[0]
JARS = f"kafka-{VERSION}-jars"
STORAGE = f"kafka-{VERSION}-storage"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
CLUSTER_ID = "c3RhZ2Vkb29yLWthZmthLQ"

JVM = (
    *("-Xms64m", "-Xmx384m"),
    *(
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
    ),  # it starts in half the time and leaves us our cores
    "-XX:-UsePerfData",  # which it would write outside of its folder
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
ONE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CLIENTS:SASL_SSL",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",  # so long a killed node is still thought to live, and cannot come back
}

PLAIN_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"

METADATA, METADATA_VERSION, NO_TOPIC = 3, 1, 0
ANSWER_SECONDS_MAX = 5.0


class Kafka(Server):
    """A Kafka of one node: open to whoever reaches its port, or with *tls* to the user `stagedoor` with a password."""

    name = "kafka"

    def __init__(self, *options: str, tls: bool = False) -> None:
        """Take more *options*, properties as `name=value`; *tls* means SASL_SSL, with the mechanism PLAIN."""
        super().__init__(*options, tls=tls)
        self.password = secrets.token_urlsafe(12)
        self._plain_port = 0

    @classmethod
    def missing(cls) -> str:
        """Name the first thing that is not there."""
        if not shutil.which("java"):
            return "java"
        return "" if (TOOLS / JARS).exists() else "Kafka's jars (make tools)"

    def prepare(self) -> None:
        """Copy a storage that was formatted before."""
        shutil.copytree(kept(STORAGE, format_storage), self.folder / "data")

    def command(self) -> Sequence[str | Path]:
        """Return what runs it; nobody else calls the controller, so its port may be another one each time."""
        self._plain_port = free_port() if self.tls else self.port
        properties = configure(self.folder, plain_port=self._plain_port, more=self._secured() if self.tls else {})
        overrides = [word for option in self.options for word in ("--override", option)]
        return [*java("kafka.Kafka"), properties, *overrides]

    def answers(self) -> bool:
        """Tell whether it names itself as a broker, which it does once the controller lets it serve."""
        try:
            return brokers_at(self._plain_port) == 1
        except OSError:
            return False

    @property
    def bootstrap(self) -> str:
        """Its address, as clients are given it."""
        return f"{HOST}:{self.port}"

    def _secured(self) -> Mapping[str, str]:
        """Return the properties of a second listener, for clients; what the node says to itself stays plain."""
        identity = self.folder / "identity.pem"
        identity.touch(mode=0o600)
        identity.write_bytes(b"".join((self.folder / each).read_bytes() for each in (KEY, CERTIFICATE)))
        users = f'username="stagedoor" password="{self.password}" user_stagedoor="{self.password}"'
        return {
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self._plain_port},CLIENTS://{HOST}:{self.port}",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.clients.plain.sasl.jaas.config": f"{PLAIN_LOGIN} required {users};",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(identity),
        }


def fetch_jars(folder: Path) -> None:
    """Copy Kafka and all that it stands on out of Maven's repositories."""
    run("mvn", "-q", "-B", "-f", POM, COPY, "-DincludeScope=runtime", f"-DoutputDirectory={folder}")


def java(main: str) -> list[str]:
    """Return the start of a command that runs the class *main* out of Kafka's jars."""
    return ["java", *JVM, "-cp", f"{TOOLS / JARS}{os.sep}*", main]


def format_storage(folder: Path) -> None:
    """Make the data folder of a node that has never run."""
    with tempfile.TemporaryDirectory(prefix="stagedoor-kafka-format-") as name:
        place = Path(name)
        properties = configure(place, plain_port=free_port(), more={})
        run(*java("kafka.tools.StorageTool"), "format", "-t", CLUSTER_ID, "-c", properties)
        shutil.copytree(place / "data", folder, dirs_exist_ok=True)


def configure(folder: Path, *, plain_port: int, more: Mapping[str, str]) -> Path:
    """Write the properties of a node with its data in *folder* that listens on *plain_port*; return the file."""
    controller = free_port()
    said = ONE_NODE | {
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{plain_port}",
        "log.dirs": str(folder / "data"),
        **more,
    }
    said["listeners"] = f"{said['advertised.listeners']},CONTROLLER://{HOST}:{controller}"
    path = folder / "server.properties"
    path.write_text("".join(f"{name}={value}\n" for name, value in said.items()), encoding="utf-8")
    return path


def brokers_at(port: int) -> int:
    """Ask the Kafka at *port* how many brokers it knows (of its protocol: Metadata, version 1)."""
    client = b"stagedoor"
    request = struct.pack(">hhih", METADATA, METADATA_VERSION, 1, len(client)) + client + struct.pack(">i", NO_TOPIC)
    with (
        socket.create_connection((HOST, port), ANSWER_SECONDS_MAX) as connection,
        connection.makefile("rb") as answers,
    ):
        connection.sendall(struct.pack(">i", len(request)) + request)
        head = answers.read(12)
    if len(head) < 12:  # noqa: PLR2004 -- it was closed before the size, the request's number and the count were said
        return 0
    brokers: int
    _, _, brokers = struct.unpack(">iii", head)
    return brokers
