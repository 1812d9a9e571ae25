"""
All engines of the cluster profile for a person to work with: `make services`, and `make services DO=stop`.

They are held by a process in the background. Whether it runs is told by a lock
on a file that only it holds, so no pid that somebody else has got meanwhile can
be taken for it; and where it is killed, each engine's guard ends that engine.
"""

import argparse
import fcntl
import os
import secrets
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from scripts.services import ENGINES, Kafka, MariaDB, Nginx, PostgreSQL, Redis
from scripts.services.server import HOST, free_port

FOLDER = Path(__file__).resolve().parents[2] / "build" / "services"
READY = "ready\n"
PROCESSES = 2
DIALECTS = {"mysql+asyncmy": "mariadb", "postgresql+asyncpg": "postgresql"}


def main() -> None:
    """Start them or stop them."""
    parser = argparse.ArgumentParser(description="Run the engines of the cluster profile.")
    parser.add_argument("do", nargs="?", choices=("start", "stop", "hold"), default="start")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where it is noted that they run (%(default)s)")
    arguments = parser.parse_args()
    services = Services(arguments.folder)
    match arguments.do:
        case "start":
            print("All of them are started." if services.start() else "They run already.")
            place = shlex.quote(os.path.relpath(services.environment))
            print(f"{services.environment.read_text(encoding='utf-8')}\nFor a shell: set -a; . {place}; set +a")
        case "stop":
            print("All are stopped, and their data are gone." if services.stop() else "None of them runs.")
        case _:
            services.hold()


class Engines(NamedTuple):
    """One of each."""

    mariadb: MariaDB
    postgres: PostgreSQL
    redis: Redis
    kafka: Kafka
    nginx: Nginx


@dataclass(frozen=True, slots=True)
class Services:
    """The engines that run, or do not run, on behalf of one *folder*."""

    folder: Path

    @property
    def environment(self) -> Path:
        """The file that says for a shell how to reach them; it is there while they run."""
        return self.folder / "env"

    def start(self) -> bool:
        """Start them unless they run, and wait until all of them answer; return whether that was needed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._one_at_a_time():
            if self.holder() is not None:
                return False
            if missing := [lack for engine in ENGINES.values() if (lack := engine.missing())]:
                sys.exit(f"Not started: there is no {', no '.join(missing)} on this machine.")
            self._start_holder()
            return True

    def stop(self) -> bool:
        """Stop them if they run, and wait until they are gone; return whether that was needed."""
        if not self._lock.exists() or (holder := self.holder()) is None:
            return False
        os.kill(holder, signal.SIGTERM)
        with self._lock.open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
        return True

    def addresses(self) -> dict[str, str]:
        """Return what the environment says, by name."""
        lines = self.environment.read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def holder(self) -> int | None:
        """Return the process that holds them, or None if there is none."""
        with self._lock.open("a+b") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                return int(lock.read() or 0) or None  # it may have got the lock just now
            return None

    def hold(self) -> None:
        """Be the process that holds them, until SIGTERM; say so on standard output once all of them answer."""
        told = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: told.set())
        with self._lock.open("r+b") as lock, ExitStack() as stack:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.truncate()
            lock.write(str(os.getpid()).encode())
            lock.flush()
            nginx = Nginx(*(free_port() for _ in range(PROCESSES)))
            engines = Engines(MariaDB(), PostgreSQL(), Redis(), Kafka(), nginx)
            with ThreadPoolExecutor() as threads:
                for started in [threads.submit(stack.enter_context, engine) for engine in engines]:
                    started.result()
            stack.callback(self.environment.unlink)
            self._write_environment(engines)
            sys.stdout.write(READY)
            sys.stdout.flush()
            told.wait()

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _start_holder(self) -> None:
        log = self.folder / "log"
        with log.open("wb") as output:
            holder = subprocess.Popen(
                [sys.executable, "-m", "scripts.services", "hold", "--folder", self.folder],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        assert holder.stdout is not None
        if holder.stdout.readline() != READY:
            sys.exit(f"{log.read_text(encoding='utf-8')}\nNot started, for the reason above.")

    def _write_environment(self, engines: Engines) -> None:
        mariadb, postgres = (server.new_database("stagedoor") for server in (engines.mariadb, engines.postgres))
        told = {
            "STAGEDOOR_DATABASE_URL": as_setting(mariadb),
            "STAGEDOOR_REDIS_URL": engines.redis.url,
            "STAGEDOOR_KAFKA_BOOTSTRAP": engines.kafka.bootstrap,
            "STAGEDOOR_SECRET": secrets.token_urlsafe(48),
            "STAGEDOOR_TRUSTED_PROXIES": HOST,
            "POSTGRES_URL": as_setting(postgres),
            "NGINX_URL": engines.nginx.url,
            "SERVER_PORTS": ",".join(map(str, engines.nginx.upstream_ports)),
        }
        self.environment.touch(mode=0o600)  # for nobody else's eyes
        self.environment.write_text("".join(f"{name}={value}\n" for name, value in told.items()), encoding="utf-8")


def as_setting(url: str) -> str:
    """Return SQLAlchemy's *url* without the driver, which STAGEDOOR_DATABASE_URL does not name."""
    driver, rest = url.split("://")
    return f"{DIALECTS[driver]}://{rest}"


if __name__ == "__main__":
    main()
