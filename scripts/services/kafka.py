"""Kafka in KRaft mode: one node that is broker and controller, from the jars that `make tools` builds."""

import os
import shutil
import socket
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

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
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "broker.heartbeat.interval.ms": "250",
    "broker.session.timeout.ms": "1500",  # so long a killed node is still thought to live, and cannot come back
}

METADATA, METADATA_VERSION, NO_TOPIC = 3, 1, 0
ANSWER_SECONDS_MAX = 5.0


class Kafka(Server):
    """A Kafka of one node, open to whoever reaches its port."""

    name = "kafka"

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
        properties = configure(self.folder, port=self.port)
        overrides = [word for option in self.options for word in ("--override", option)]
        return [*java("kafka.Kafka"), properties, *overrides]

    def answers(self) -> bool:
        """Tell whether it names itself as a broker, which it does once the controller lets it serve."""
        try:
            return brokers_at(self.port) == 1
        except OSError:
            return False

    @property
    def bootstrap(self) -> str:
        """Its address, as clients are given it."""
        return f"{HOST}:{self.port}"


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
        properties = configure(place, port=free_port())
        run(*java("kafka.tools.StorageTool"), "format", "-t", CLUSTER_ID, "-c", properties)
        shutil.copytree(place / "data", folder, dirs_exist_ok=True)


def configure(folder: Path, *, port: int) -> Path:
    """Write the properties of a node with its data in *folder* that listens on *port*; return the file."""
    controller = free_port()
    said = ONE_NODE | {
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
        "log.dirs": str(folder / "data"),
    }
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
