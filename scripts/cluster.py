"""
A whole cluster with demo data on this machine, until Ctrl-C: `make run-cluster`.

Two processes serve behind nginx, a third publishes events, a fourth acts on
them, all on real engines. Engines that run already (`make services`) are used
and left running; those it has to start itself it stops again.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from scripts.services.__main__ import FOLDER, Services
from scripts.services.server import HOST, Server

LOOK_EVERY_SECONDS = 0.2
LIVES_SECONDS = 5.0
"""Whoever ends sooner after a start will do so the next time."""

ANSWER_SECONDS_MAX = 5.0
DATABASES = {"mariadb": "STAGEDOOR_DATABASE_URL", "postgres": "POSTGRES_URL"}
STAGEDOOR = (sys.executable, "-m", "stagedoor")


def main() -> None:
    """Run the cluster; exit 0 after Ctrl-C or SIGTERM, 1 if one of its processes cannot be kept alive."""
    parser = argparse.ArgumentParser(description="Run a cluster with demo data.")
    parser.add_argument("--database", choices=DATABASES, default="mariadb", help="default: %(default)s")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="as of scripts.services (%(default)s)")
    arguments = parser.parse_args()
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: told.set())
    services = Services(arguments.folder)
    print("Starting MariaDB, PostgreSQL, Redis, Kafka and nginx ...", flush=True)
    ours = services.start()
    try:
        addresses = services.addresses()
        ended = run_cluster(addresses, addresses[DATABASES[arguments.database]], told)
    finally:
        if ours:
            services.stop()
    if ended:
        sys.exit(ended)


def run_cluster(addresses: Mapping[str, str], database_url: str, told: threading.Event) -> str:
    """Run every process until *told*; where one cannot be kept alive, stop the others and return what it said."""
    said = {name: value for name, value in addresses.items() if name.startswith("STAGEDOOR_")}
    settings = said | {"STAGEDOOR_DATABASE_URL": database_url, "STAGEDOOR_RELAY_IN_SERVER": "false"}
    print("Making the schema and the demo's data ...", flush=True)
    subprocess.run([*STAGEDOOR, "migrate"], env=own_environment(settings), check=True, stdout=subprocess.DEVNULL)
    members = [
        *(
            Member(f"server at {port}", "serve", "--demo", "--port", port, settings=settings, port=int(port))
            for port in addresses["SERVER_PORTS"].split(",")
        ),
        Member("relay", "relay", settings=settings),
        Member("consumer", "consume", "notifications", settings=settings),
    ]
    with ExitStack() as stack:
        with ThreadPoolExecutor() as threads:
            for started in [threads.submit(stack.enter_context, member) for member in members]:
                started.result()
        for member in members:
            print(f"  {member.title:16} process {member.pid:<8} log {member.folder / 'log'}")
        print(f"The cluster is ready on {addresses['NGINX_URL']}", flush=True)
        while not told.wait(LOOK_EVERY_SECONDS):
            for member in members:
                if not member.running and not came_back(member):
                    return f"The {member.title} ends again and again:\n{member.log}"
    return ""


def came_back(member: "Member") -> bool:
    """Start a *member* that has ended by itself; return whether that helps."""
    if time.monotonic() - member.started_at < LIVES_SECONDS:
        return False
    print(f"The {member.title} has ended, and is started again.", flush=True)
    try:
        member.start()
    except ChildProcessError:
        return False
    print(f"The {member.title} is back, as process {member.pid}.", flush=True)
    return True


class Member(Server):
    """One process of the cluster: a command of `stagedoor`, with a *port* if it serves."""

    name = "process"

    def __init__(self, name: str, *words: str, settings: Mapping[str, str], port: int = 0) -> None:
        """Run `stagedoor` with *words*, in this environment and *settings*."""
        super().__init__(*words)
        self.title = name
        self.port = port
        self.started_at = 0.0
        self._serves = bool(port)
        self._settings = settings

    @classmethod
    def missing(cls) -> str:
        """Name nothing: whoever runs this has all that it needs."""
        return ""

    def prepare(self) -> None:
        """Need nothing in the folder."""

    def start(self) -> None:
        """Start it, and remember when."""
        self.started_at = time.monotonic()
        super().start()

    def command(self) -> Sequence[str | Path]:
        """Return what runs it."""
        return [*STAGEDOOR, *self.options]

    def environment(self) -> Mapping[str, str]:
        """Return this environment, without any other Stagedoor's settings."""
        return own_environment(self._settings)

    def answers(self) -> bool:
        """Tell whether it is ready to serve; whoever does not serve is as soon as it runs."""
        if not self._serves:
            return self.running
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}/readyz", timeout=ANSWER_SECONDS_MAX):
                return True
        except OSError:  # an answer that is an error is one too
            return False


def own_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with *settings* and those of no other Stagedoor."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STAGEDOOR_")}
    return kept | {"PYTHONUNBUFFERED": "1"} | dict(settings)


if __name__ == "__main__":
    main()
